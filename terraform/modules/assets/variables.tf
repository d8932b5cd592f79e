# The bucket's name, whose pages may put uploads into it, and how far the CDN reaches.
variable "bucket" {
  description = "Name of the bucket; unique in the whole of AWS, so begin it with something of yours."
  type        = string
  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,50}[a-z0-9]$", var.bucket))
    error_message = "Use 3 to 52 lower-case letters, digits and dashes: the cache policies take their names from it."
  }
}

variable "upload_origins" {
  description = "The app's own origins, as browsers name them: scheme, host, and the port where it is not the usual one. Scripts of their pages may put uploads into the bucket."
  type        = list(string)
  validation {
    condition     = length(var.upload_origins) > 0 && alltrue([for origin in var.upload_origins : can(regex("^https?://[A-Za-z0-9.-]+(:[0-9]+)?$", origin))])
    error_message = "Use origins such as http://photos.example.com or http://203.0.113.9:8080: no path, and no *."
  }
}

variable "force_destroy" {
  description = "Whether `terraform destroy` removes the pictures as well; on for a class, whose pictures are generated."
  type        = bool
  default     = true
}

variable "price_class" {
  description = "How many edges serve the pictures."
  type        = string
  default     = "PriceClass_100"
  validation {
    condition     = contains(["PriceClass_100", "PriceClass_200", "PriceClass_All"], var.price_class)
    error_message = "Use PriceClass_100 (North America, Europe), PriceClass_200 or PriceClass_All."
  }
}
