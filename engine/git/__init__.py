"""A build's source in git: its address, who may be asked, what is fetched and how."""
