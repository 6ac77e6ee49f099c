"""Read files that torch.save wrote, without running anything that they name."""
