"""What learned models see in frames, as plain typed values: saliency maps, shots, frames without noise."""
