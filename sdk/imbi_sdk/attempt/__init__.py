"""One attempt of a job."""
