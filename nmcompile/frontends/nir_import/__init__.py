"""Read NIR graphs and discretise them."""
