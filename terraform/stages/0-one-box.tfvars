# Stage 0: everything on one box - the app, MariaDB, the pictures, the filters. Where most sites begin.
# Experiments: the "before" of all four.
stage = "0-one-box"

# database: rows on the box itself
database       = "local"
database_nodes = 1

# assets: pictures on its disk
assets = "local"

# framework: no cache, one server with an address of its own
cache     = "none"
balancer  = false
web_count = { min = 1, max = 1 }

# imaging: filters in the request
jobs         = "inline"
worker_count = { min = 0, max = 0 }
