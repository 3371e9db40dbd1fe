"""Networks written as ONNX graphs around weights that others published; the only part of a pull that needs onnx."""
