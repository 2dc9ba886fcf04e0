"""The log of a build: written once, read by everybody along one path.

masking  secrets are replaced before anything is kept
lines    bytes as they come out of a builder become whole, clean, masked lines
writer   lines become numbered chunks, rows while the build runs
archive  the rows become one compressed blob once it is over
joining  chunks of nearly one time become one, on the way to readers and into the blob
reader   replay, live tail, pages and downloads, from rows or blob alike
"""
