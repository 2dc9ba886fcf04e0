"""What runs on the container's node, as `darkroom commit` in a saving Job."""
