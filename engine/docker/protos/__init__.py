"""Messages of BuildKit, compiled from the .proto file beside them by `make protos`."""
