# What the root needs: no provider but AWS. The lock file is not kept: it would hold the hashes of whatever mirror made it.
terraform {
  required_version = ">= 1.11"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

# Everything carries who it belongs to and until when: `cargo lab cloud leftovers` finds it by `project`.
provider "aws" {
  region = var.region
  default_tags {
    tags = local.tags
  }
}
