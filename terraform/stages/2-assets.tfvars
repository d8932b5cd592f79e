# Stage 2: the pictures move out of the box, to S3 behind CloudFront.
# Experiment: assets.
stage = "2-assets"

# database: rows on RDS
database       = "rds"
database_nodes = 1

# assets: pictures in S3, served by CloudFront
assets = "s3"

# framework: no cache, one server with an address of its own
cache     = "none"
balancer  = false
web_count = { min = 1, max = 1 }

# imaging: filters in the request
jobs         = "inline"
worker_count = { min = 0, max = 0 }
