# The document that fills an empty stack with people and photos: `cargo lab run --target` sends it to one web server through
# Systems Manager, which is the only way in. The list of who lives there goes to the results bucket.

resource "aws_ssm_document" "seed" {
  name            = "${var.name}-seed"
  document_type   = "Command"
  document_format = "JSON"
  content = jsonencode({
    schemaVersion = "2.2"
    description   = "Seeds the population of ${var.name} and writes its manifest to the results bucket"
    parameters = merge(
      { for name in ["people", "photos", "pictures", "seed"] : name => { type = "String", allowedPattern = "^[0-9]{1,12}$" } },
      { followsMean = { type = "String", allowedPattern = "^[0-9]{1,4}$" } },
    )
    mainSteps = [{
      name   = "seed"
      action = "aws:runShellScript"
      inputs = {
        timeoutSeconds = "3600"
        runCommand     = ["/usr/local/bin/lightmeter-seed {{people}} {{photos}} {{pictures}} {{followsMean}} {{seed}}"]
      }
    }]
  })
}
