/// Which layers an image gets, in an order that lets images share as many as possible: system, Python, large wheels, small wheels, own files.
import EnvCore
import Hashing
import SafeFS
import SystemPackage

/// A layer before it is built.
struct LayerPlan: Sendable {
  /// For people; it stands in the image's history.
  var name: String
  /// Bytes that go in, to guess how long it takes.
  var weight: Int64
  /// Names everything that decides the layer's bytes, apart from the image's time: equal inputs make equal layers.
  var inputs: [String]
  var write: @Sendable (inout LayerBuilder) throws -> Void

  /// A wheel of this size or more is a layer of its own: it changes seldom and is worth sharing.
  private static let largeWheel: Int64 = 10_000_000

  /// The layers of the recipe, lowest first.
  static func layers(of recipe: Recipe, _ lock: RecipeLock, _ packages: FetchedPackages) throws -> [LayerPlan] {
    var plans = try debian(recipe, packages)
    if let python = recipe.python {
      let layout = PythonLayout(version: python.version)
      let large = packages.wheels.filter { $0.pin.size >= largeWheel }
      plans += large.map { wheels("\($0.pin.project) \($0.pin.version)", [$0], layout) }
      let small = packages.wheels.filter { $0.pin.size < largeWheel }
      if !small.isEmpty { plans.append(wheels("Python packages: " + small.map(\.pin.project).joined(separator: ", "), small, layout)) }
    }
    plans.append(files(recipe, lock))
    return plans
  }

  private static func debian(_ recipe: Recipe, _ packages: FetchedPackages) throws -> [LayerPlan] {
    let controls = try concurrentMap(packages.debian, width: 2) { try DebianPackage($0.path, pin: $0.pin).control }
    var plans: [LayerPlan] = []
    var installed: [DebianControl] = []
    for layer in recipe.debian.layers {
      let members = zip(packages.debian, controls).filter { $0.0.pin.layer == layer.name }
      installed += members.map(\.1)
      let content = DebianLayer(
        packages: members.map(\.0).sorted { $0.pin.package.utf8.lexicographicallyPrecedes($1.pin.package.utf8) }, installed: installed,
        isLowest: plans.isEmpty)
      // dpkg's database lists the packages of the layers below as well.
      let below = recipe.debian.layers.prefix { $0.name != layer.name }.map(\.name)
      let listed = packages.debian.filter { $0.pin.layer != layer.name && below.contains($0.pin.layer) }
      plans.append(
        LayerPlan(
          name: "Debian \(recipe.debian.suite): \(layer.name)", weight: members.reduce(0) { $0 + $1.0.pin.size * 3 },
          inputs: ["debian", "\(plans.isEmpty)"] + listed.map(\.pin.sha256.hex) + ["own"] + members.map(\.0.pin.sha256.hex),
          write: content.write))
    }
    return plans
  }

  private static func wheels(_ name: String, _ wheels: [LocatedWheel], _ layout: PythonLayout) -> LayerPlan {
    let inputs = ["wheels", layout.version] + wheels.flatMap { [$0.pin.filename, $0.pin.sha256.hex] }
    return LayerPlan(name: name, weight: wheels.reduce(0) { $0 + $1.pin.size }, inputs: inputs) { layer in
      for wheel in wheels {
        var installation = try WheelInstallation(wheel, layout: layout)
        try installation.write(to: &layer)
      }
    }
  }

  /// The bundled files, the links, and the working directory.
  private static func files(_ recipe: Recipe, _ lock: RecipeLock) -> LayerPlan {
    let inputs =
      ["files", recipe.workingDirectory.description] + lock.files.flatMap { [$0.path.description, $0.sha256.hex, "\($0.isExecutable)"] }
      + ["links"] + recipe.links.flatMap { [$0.path.description, $0.target.description] }
    return LayerPlan(name: "files of \(recipe.name)", weight: lock.files.reduce(0) { $0 + $1.size }, inputs: inputs) { layer in
      let origin = "recipe \(recipe.name)"
      for pin in lock.files {
        let path = recipe.folder.appending(pin.source)
        guard FileSystem.exists(path) else { throw ImageError.sourceMissing(path: path.string) }
        let bytes = try FileSystem.readFile(path, limit: BundledTree.largestFile)
        let actual = Digest.sha256(of: bytes)
        guard actual == pin.sha256 else { throw ImageError.fileChanged(path: path.string, expected: pin.sha256, actual: actual) }
        let header = FileHeader(path: try RelativePath(pin.path.relative), permissions: pin.isExecutable ? 0o755 : 0o644)
        try layer.file(header, bytes, origin: origin)
      }
      for link in recipe.links {
        let header = FileHeader(path: try RelativePath(link.path.relative), permissions: 0o777)
        try layer.symlink(header, target: link.target.description, origin: origin)
      }
      try layer.directory(FileHeader(path: RelativePath(recipe.workingDirectory.relative), permissions: 0o755), origin: origin)
    }
  }
}
