"""ONNX graphs as torch modules that run them, read without executing anything of the file."""
