# What the module assets needs: no provider but AWS, so that nothing is fetched from anywhere else.
terraform {
  required_version = ">= 1.11"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}
