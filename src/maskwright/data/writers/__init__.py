"""One format of answers a file; the file's name is the writer's name."""
