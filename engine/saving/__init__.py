"""Images of running containers.

The worker (`save`) finds the container and asks who may; on the container's node a Kubernetes Job
runs `darkroom commit` (the package `node`), which does the work and reports it line by line.
"""
