"""Drop locations: folders, SFTP and S3. `sources` lists, reads and clears files.

`connecting` opens a location as one of `local_folder`, `sftp_folder` or `s3_folder`; `entries` declares what each can
do; `settling` says which files are still being written.
"""
