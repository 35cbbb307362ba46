/// GitHub Actions: containers and services of jobs, docker:// actions, and the scripts of steps.
import StrictYAML

enum GitHubReader {
  static func recognises(_ document: YAMLNode, path: String) -> Bool {
    if path.contains(".github/workflows/") || path.contains(".gitea/workflows/") || path.contains(".forgejo/workflows/") { return true }
    let file = path.split(separator: "/").last ?? ""
    return (file == "action.yml" || file == "action.yaml") && document["runs"] != nil
  }

  static func read(_ document: YAMLNode, _ yaml: YAMLSource, into collector: inout Collector) {
    if let runs = document["runs"] {
      if let image = runs["image"], image.scalarText.hasPrefix("docker://") { dockerAction(image, "action", yaml, &collector) }
      steps(runs["steps"], "action", yaml, &collector)
    }
    for job in document["jobs"]?.entries ?? [] {
      let user = "job '\(job.key)'".shortened
      if let container = job.value["container"] {
        collector.check(image: container["image"] ?? container, yaml, user: "container of \(user)")
      }
      for service in job.value["services"]?.entries ?? [] {
        guard let image = service.value["image"] else { continue }
        collector.check(image: image, yaml, user: "service '\(service.key)' of \(user)".shortened)
      }
      steps(job.value["steps"], user, yaml, &collector)
    }
  }

  private static func steps(_ steps: YAMLNode?, _ user: String, _ yaml: YAMLSource, _ collector: inout Collector) {
    for (index, step) in (steps?.elements ?? []).enumerated() {
      let name = step["name"]?.scalarText ?? step["id"]?.scalarText ?? "\(index + 1)"
      let user = "step '\(name)' of \(user)".shortened
      if let uses = step["uses"], uses.scalarText.hasPrefix("docker://") {
        dockerAction(uses, user, yaml, &collector)
      }
      if let run = step["run"], isShell(step) { collector.check(script: run, yaml, user: user) }
    }
  }

  /// The runner hands what follows `docker://` to docker, which takes a digest beside a tag.
  private static func dockerAction(_ node: YAMLNode, _ user: String, _ yaml: YAMLSource, _ collector: inout Collector) {
    collector.check(image: node, yaml, user: user)
  }

  private static func isShell(_ step: YAMLNode) -> Bool {
    guard let shell = step["shell"]?.scalarText else { return true }
    return shell.hasPrefix("bash") || shell.hasPrefix("sh")
  }
}
