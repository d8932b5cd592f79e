# Stage 3: nothing is left on the box, so there can be several. Valkey keeps answers near, a balancer shares the requests out.
# Experiment: framework. Set web_count to { min = 1, max = 8 } to see the group follow its load.
stage = "3-framework"

# database: rows on RDS
database       = "rds"
database_nodes = 1

# assets: pictures in S3, served by CloudFront
assets = "s3"

# framework: a shared cache, and two servers behind a balancer
cache     = "redis"
balancer  = true
web_count = { min = 2, max = 2 }

# imaging: filters in the request
jobs         = "inline"
worker_count = { min = 0, max = 0 }
