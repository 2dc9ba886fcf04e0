"""containerd, asked through its gRPC API."""
