# The app's single table, as the app itself would make it: partition key `pk`, sort key `sk`, both text, no index.

resource "aws_dynamodb_table" "this" {
  name                        = var.table
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "pk"
  range_key                   = "sk"
  deletion_protection_enabled = var.deletion_protection

  attribute {
    name = "pk"
    type = "S"
  }
  attribute {
    name = "sk"
    type = "S"
  }

  # Whatever is written with this attribute goes by itself. Nothing is yet: the app keeps the name for it (EXPIRES_AT in keys.rs) and
  # sees to it that no item which is counted or listed carries it.
  ttl {
    attribute_name = "expires_at"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled = false # The key of AWS itself: still encrypted, and no price per request.
  }
}
