"""Making images with a Docker Engine, or with Podman, which answers to the same API."""
