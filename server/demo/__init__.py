"""`darkroom demo`: an image is built before your eyes, by the same API that everybody uses."""

from server.demo.run import run

__all__ = ["run"]
