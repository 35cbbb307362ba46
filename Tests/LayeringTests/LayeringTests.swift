/// The floor plan, held against the package and against the sources: a module imports only modules of the floors below it.
import EnvCore
import SafeFS
import SystemPackage
import TestSupport
import Testing

@Suite struct LayeringTests {
  /// The floors, lowest first. A new module gets its line here before it builds.
  static let floors: [[String]] = [
    ["EnvCore", "CLinux", "CLibCurl", "CLibCrypto", "CSHA256", "CLibArchive", "CISAL", "CYAML", "CZstd"],
    ["OCI", "HTTP", "HTTPServer", "Hashing", "Signing", "Archive", "Compression", "SafeFS", "StrictYAML", "ChildProcess"],
    ["EnvRegistry", "EnvStore", "EnvCatalog", "CDI"],
    ["EnvImage", "EnvBundle", "EnvGPU", "EnvModels", "EnvPolicy", "EnvTrust"],
    ["EnvLaunch", "EnvDrift", "EnvHost"],
    ["EnvFlow", "EnvReport"],
    ["envctl"],
  ]
  /// What comes with the compiler or from the packages that DESIGN names.
  static let foreign: Set<String> = [
    "Glibc", "Synchronization", "SystemPackage", "ArgumentParser", "Logging", "FoundationEssentials", "Testing",
  ]

  struct Package: Decodable {
    struct Target: Decodable {
      struct Dependency: Decodable {
        var byName: [String?]?
        var product: [String?]?
        init(from decoder: any Decoder) throws {
          let container = try decoder.container(keyedBy: Key.self)
          // `product` lists more than names; its first element is the name.
          byName = (try? container.decode([String?].self, forKey: .byName))
          if var list = try? container.nestedUnkeyedContainer(forKey: .product) { product = [try list.decode(String.self)] }
        }
        enum Key: String, CodingKey { case byName, product }
        var name: String? { (byName?.first ?? product?.first) ?? nil }
      }
      var name: String
      var type: String
      var dependencies: [Dependency]
    }
    var targets: [Target]
  }

  /// The folder of the package, three above this file.
  private var root: FilePath { FilePath(#filePath).removingLastComponent().removingLastComponent().removingLastComponent() }

  private func package() throws -> Package {
    try withTemporaryFolder { scratch in
      let output = try Tool.run(
        "swift", "package", "--package-path", root.string, "--scratch-path", scratch.string, "--disable-sandbox", "dump-package")
      try #require(output.status == 0, "\(output.text)")
      // Warnings of the package manager may come first.
      let start = try #require(output.text.utf8.firstIndex(of: UInt8(ascii: "{")))
      return try CanonicalJSON.decode(Package.self, from: Array(output.text[start...].utf8), object: "swift package dump-package")
    }
  }

  private func floor(_ module: String) -> Int? { Self.floors.firstIndex { $0.contains(module) } }

  @Test("declared dependencies point downwards", .needs(Capability("swift", isPresent: Tool.path("swift") != nil, package: nil)))
  func dependencies() throws {
    let targets = try package().targets.filter { FileSystem.exists(root.appending("Sources").appending($0.name)) }
    #expect(targets.count > 15)
    for target in targets {
      let own = try #require(floor(target.name), "\(target.name) has no floor")
      for name in target.dependencies.compactMap(\.name) where !Self.foreign.contains(name) {
        let other = try #require(floor(name), "\(name) has no floor")
        #expect(other < own, "\(target.name) (F\(own)) may not depend on \(name) (F\(other))")
      }
    }
  }

  @Test(
    "a source imports only what its target declares, and no part of the program full Foundation",
    .needs(Capability("swift", isPresent: Tool.path("swift") != nil, package: nil)))
  func imports() throws {
    for target in try package().targets {
      let declared = Set(target.dependencies.compactMap(\.name)).union([target.name])
      for parent in ["Sources", "Tests"] {
        let folder = root.appending(parent).appending(target.name)
        guard FileSystem.exists(folder) else { continue }
        for (file, module) in try importsBelow(folder) {
          // Full Foundation costs the program its quick start; CanonicalJSON names it for platforms without FoundationEssentials.
          let isAllowed = module != "Foundation" || file == "CanonicalJSON.swift" || parent == "Tests"
          #expect(isAllowed, "\(target.name)/\(file) imports full Foundation")
          let isFree = Self.foreign.contains(module) || module == "Foundation"
          #expect(isFree || declared.contains(module), "\(target.name)/\(file) imports \(module), which its target does not declare")
        }
      }
    }
  }

  /// Every file below `folder` with each module it imports.
  private func importsBelow(_ folder: FilePath) throws -> [(file: String, module: String)] {
    var found: [(String, String)] = []
    try FileSystem.walk(folder) { node in
      guard node.status.kind == .file, node.path.hasSuffix(".swift") else { return }
      let text = String(decoding: try FileSystem.readFile(folder.appending(node.path)), as: UTF8.self)
      var isInLiteral = false  // Scripts in other languages have imports too.
      for line in text.split(separator: "\n") {
        if line.contains("\"\"\"") { isInLiteral.toggle() }
        guard !isInLiteral else { continue }
        let words = line.split(separator: " ").filter { !$0.hasPrefix("@") && !["public", "package", "internal"].contains($0) }
        guard words.first == "import", words.count == 2 else { continue }
        found.append((node.path, String(words[1])))
      }
    }
    return found
  }
}
