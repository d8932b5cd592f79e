# Stage 4: the filters move out of the request, to workers behind a queue.
# Experiment: imaging. Set worker_count to { min = 1, max = 8 } to see the group follow its backlog.
stage = "4-imaging"

# database: rows on RDS
database       = "rds"
database_nodes = 1

# assets: pictures in S3, served by CloudFront
assets = "s3"

# framework: a shared cache, and two servers behind a balancer
cache     = "redis"
balancer  = true
web_count = { min = 2, max = 2 }

# imaging: a queue and two workers
jobs         = "sqs"
worker_count = { min = 2, max = 2 }
