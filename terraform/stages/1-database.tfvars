# Stage 1: the rows move out of the box, to MySQL on RDS.
# Experiment: database. Then set database to "rds_replicas" or "rds_shards" (with 2 to 8 nodes), or to "dynamodb".
stage = "1-database"

# database: rows on RDS
database       = "rds"
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
