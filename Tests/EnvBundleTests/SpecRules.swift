/// The rules of the published runtime-spec 1.0.2 (config.md, config-linux.md) checked on the JSON a runtime would read: those its text
/// has, and those of its schema where that is installed.
import EnvBundle
import EnvCore
import FoundationEssentials
import Testing

/// What is wrong with a `config.json`, as sentences; empty when it keeps the rules.
func violations(of spec: RuntimeSpec) throws -> [String] {
  let bytes = try CanonicalJSON.encode(spec)
  let document = try JSONDecoder().decode(JSONValue.self, from: Data(bytes))
  var found = PublishedSchema.isPresent ? try PublishedSchema.violations(of: bytes) : []
  func require(_ holds: Bool, _ rule: String) { if !holds { found.append(rule) } }

  require(document["ociVersion"]?.string?.wholeMatch(of: /\d+\.\d+\.\d+/) != nil, "ociVersion MUST be SemVer")
  require(document["root"]?["path"]?.string?.isEmpty == false, "root.path is REQUIRED")
  let process = document["process"]
  require(process?["cwd"]?.string?.hasPrefix("/") == true, "process.cwd MUST be absolute")
  require(process?["args"]?.array?.isEmpty == false, "process.args MUST have an entry")
  require(process?["user"]?["uid"]?.number != nil && process?["user"]?["gid"]?.number != nil, "uid and gid are REQUIRED")
  let names = process?["env"]?.array?.compactMap { $0.string?.split(separator: "=", omittingEmptySubsequences: false).first } ?? []
  require(names.allSatisfy { !$0.isEmpty } && Set(names).count == names.count, "each variable has a name, once")
  for set in ["bounding", "effective", "permitted"] {
    let capabilities = process?["capabilities"]?[set]?.array?.compactMap(\.string)
    require(capabilities?.allSatisfy { $0.hasPrefix("CAP_") } == true, "capabilities.\(set) holds CAP_ names")
  }
  let mounts = document["mounts"]?.array ?? []
  let destinations = mounts.compactMap { $0["destination"]?.string }
  require(destinations.count == mounts.count && destinations.allSatisfy { $0.hasPrefix("/") }, "mounts[].destination MUST be absolute")
  require(Set(destinations).count == destinations.count, "no destination twice")
  for (index, outer) in destinations.enumerated() {
    let hidden = destinations[..<index].filter { $0.hasPrefix(outer == "/" ? "/" : outer + "/") }
    require(hidden.isEmpty, "\(outer) is mounted after \(hidden) and hides it")
  }
  let linux = document["linux"]
  let kinds = linux?["namespaces"]?.array?.compactMap { $0["type"]?.string } ?? []
  require(Set(kinds).count == kinds.count, "no namespace type twice")
  require(
    Set(kinds).isSubset(of: ["pid", "network", "mount", "ipc", "uts", "user", "cgroup"]), "namespace types are those of the specification")
  for key in ["maskedPaths", "readonlyPaths"] {
    require(linux?[key]?.array?.allSatisfy { $0.string?.hasPrefix("/") == true } == true, "\(key) MUST be absolute")
  }
  require(linux?["seccomp"]?["defaultAction"]?.string?.hasPrefix("SCMP_ACT_") == true, "seccomp.defaultAction is REQUIRED")
  for rule in linux?["seccomp"]?["syscalls"]?.array ?? [] {
    require(rule["names"]?.array?.isEmpty == false, "seccomp.syscalls[].names MUST have an entry")
    require(rule["action"]?.string?.hasPrefix("SCMP_ACT_") == true, "seccomp.syscalls[].action is REQUIRED")
  }
  for device in linux?["devices"]?.array ?? [] {
    require(device["path"]?.string?.hasPrefix("/") == true, "devices[].path is REQUIRED and absolute")
    let type = device["type"]?.string ?? ""
    require(["c", "b", "u", "p"].contains(type), "devices[].type is REQUIRED")
    require(type == "p" || (device["major"]?.number != nil && device["minor"]?.number != nil), "devices[] has its numbers")
  }
  for rule in linux?["resources"]?["devices"]?.array ?? [] {
    require(rule["access"]?.string?.allSatisfy { "rwm".contains($0) } == true, "resources.devices[].access is of r, w and m")
  }
  let resources = linux?["resources"]
  for (group, keys) in [("memory", ["limit", "swap"]), ("cpu", ["quota", "period"]), ("pids", ["limit"])] {
    for key in keys {
      guard let value = resources?[group]?[key] else { continue }
      require(value.number.map { $0.rounded() == $0 } ?? false, "resources.\(group).\(key) is an integer")
    }
  }
  if let cpus = resources?["cpu"]?["cpus"] { require(cpus.string?.wholeMatch(of: /[0-9,-]+/) != nil, "resources.cpu.cpus is a list") }
  for page in resources?["hugepageLimits"]?.array ?? [] {
    // schema/config-linux.json: "^[1-9][0-9]*[KMG]B$"
    require(page["pageSize"]?.string?.wholeMatch(of: /[1-9][0-9]*[KMG]B/) != nil, "hugepageLimits[].pageSize has a number and a unit")
    require(page["limit"]?.number.map { $0 >= 0 } ?? false, "hugepageLimits[].limit is REQUIRED")
  }
  for limit in process?["rlimits"]?.array ?? [] {
    require(limit["type"]?.string?.wholeMatch(of: /RLIMIT_[A-Z]+/) != nil, "rlimits[].type is RLIMIT_…")
    require((limit["soft"]?.number ?? 1) <= (limit["hard"]?.number ?? 0), "rlimits[].soft is no more than hard")
  }
  for stage in ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"] {
    for hook in document["hooks"]?[stage]?.array ?? [] {
      require(hook["path"]?.string?.hasPrefix("/") == true, "hooks[].path MUST be absolute")
      require(hook["env"]?.array?.isEmpty == false, "every hook has an environment of its own")
      require(hook["timeout"]?.number.map { $0 > 0 } ?? true, "hooks[].timeout MUST be greater than zero")
    }
  }
  return found
}

/// JSON as it is, for looking at documents without our own types.
indirect enum JSONValue: Decodable {
  case object([String: JSONValue])
  case array([JSONValue])
  case string(String)
  case number(Double)
  case bool(Bool)
  case null

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .null
    } else if let value = try? container.decode(Bool.self) {
      self = .bool(value)
    } else if let value = try? container.decode(Double.self) {
      self = .number(value)
    } else if let value = try? container.decode(String.self) {
      self = .string(value)
    } else if let value = try? container.decode([JSONValue].self) {
      self = .array(value)
    } else {
      self = .object(try container.decode([String: JSONValue].self))
    }
  }

  subscript(key: String) -> JSONValue? { if case .object(let members) = self { members[key] } else { nil } }
  var array: [JSONValue]? { if case .array(let elements) = self { elements } else { nil } }
  var string: String? { if case .string(let text) = self { text } else { nil } }
  var number: Double? { if case .number(let value) = self { value } else { nil } }
}
