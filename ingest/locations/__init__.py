"""Drop locations: folders, SFTP and S3; listing what waits, reading it, clearing what is taken."""
