/// Ranks differences of an environment by how plausibly they cause a deviation of a given pattern.
import EnvCore

/// To which package's folder a shared object belongs.
struct PackageFolders {
  /// By folder beside those of other packages.
  private var owners: [String: String] = [:]

  /// The folders of the packages as they are now and as they were.
  init(_ environments: [Environment]) {
    for package in environments.compactMap(\.installed).flatMap({ $0 }) {
      for root in package.value.roots { owners[root] = package.key }
    }
  }

  /// Whether it is not known where any package lies.
  var isEmpty: Bool { owners.isEmpty }

  /// The package a path lies in; nothing where it lies in none.
  func owner(of path: String) -> String? {
    let parts = path.split(separator: "/")
    guard let site = parts.lastIndex(where: { $0.hasSuffix("-packages") }), site + 1 < parts.endIndex else { return nil }
    return owners[String(parts[site + 1])]
  }
}

/// The rules: which kinds of difference can make a pattern at all, and which of these is the likeliest.
struct SuspectRanking {
  var pattern: Cause.Pattern
  /// The operators that are less accurate.
  var operators: [String]
  var packages: PackageFolders

  /// Those that can have made the pattern, the likeliest first.
  func suspects(among differences: [EnvironmentDifference]) -> [Suspect] {
    // Named by path or, for the loader to search, by file name alone.
    let preloaded = Set(differences.filter { $0.kind == .preload }.map { fileName($0.name) })
    let changed = Set(differences.filter { $0.kind == .package || $0.kind == .files }.map(\.name))
    var objects: [String: Int] = [:]
    var found: [Suspect] = []
    for difference in differences {
      // What follows from another difference is told with that one.
      if difference.kind == .library, let owner = packages.owner(of: difference.path), changed.contains(owner) {
        objects[owner, default: 0] += 1
        continue
      }
      if difference.kind == .library, preloaded.contains(fileName(difference.path)) { continue }
      if difference.kind == .variable, difference.name == "LD_PRELOAD", !preloaded.isEmpty { continue }
      let weight = weight(of: difference)
      if weight > 0 { found.append(Suspect(difference: difference, weight: weight, objects: 0)) }
    }
    for index in found.indices { found[index].objects = objects[found[index].difference.name] ?? 0 }
    // A stable order: what is equally plausible stays in the order of kinds and names.
    return found.enumerated().sorted { ($1.element.weight, $0.offset) < ($0.element.weight, $1.offset) }.map(\.element)
  }

  private func weight(of difference: EnvironmentDifference) -> Int {
    guard isCompatible(difference) else { return 0 }
    return switch difference.kind {
    case .preload: difference.actual == nil ? 60 : 95
    case .hyperparameter: 90
    case .files: 85
    case .library: weight(ofLibrary: difference)
    case .package: isFramework(difference.name) ? 78 : 60
    case .flag: 68
    case .variable: difference.isLoaderVariable ? 70 : 55
    case .gpu: 50
    case .threads: 45
    case .cpu: 40
    case .libc: 38
    case .interpreter: 35
    case .kernel: 5
    case .clocks: 1
    }
  }

  /// A library that was replaced says more than one that is new, and both more than one that is gone.
  private func weight(ofLibrary difference: EnvironmentDifference) -> Int {
    let base = difference.expected != nil && difference.actual != nil ? 80 : difference.actual != nil ? 66 : 30
    return base + (isMathsLibrary(difference.name) ? 8 : 0)
  }

  /// Whether this library computes what is less accurate now.
  private func isMathsLibrary(_ name: String) -> Bool {
    let name = fileName(name).lowercased()
    return Self.libraries.contains { operators, names in
      operators.contains { part in self.operators.contains { $0.hasPrefix(part) } } && names.contains { name.contains($0) }
    }
  }

  /// Which libraries compute which operators.
  private static let libraries: [(operators: [String], names: [String])] = [
    (["matmul", "conv2d", "lstm"], ["mkl", "blas", "dnnl", "onednn", "cudnn"]),
    (["exp", "tanh", "sigmoid", "silu", "gelu", "softmax", "binary_cross_entropy"], ["libm.so", "libm-", "svml", "libmvec"]),
    (["ctc_loss"], ["warpctc"]),
  ]

  /// Whether a difference of this kind can make the pattern at all.
  private func isCompatible(_ difference: EnvironmentDifference) -> Bool {
    switch pattern {
    // Another kernel computes the same function: it moves last bits, never float64 beyond rounding.
    case .semantics:
      switch difference.kind {
      case .threads, .cpu, .kernel, .clocks, .gpu: false
      case .variable: !difference.choosesKernels
      default: true
      }
    // Inputs come from numpy through the framework; no arithmetic of the model is involved.
    case .inputs:
      switch difference.kind {
      case .threads, .cpu, .kernel, .clocks, .gpu, .flag: false
      case .variable: difference.isLoaderVariable
      default: true
      }
    // A hyperparameter would have moved float64 too.
    case .precision, .rounding: difference.kind != .hyperparameter
    case .nondeterminism: true
    // Of the host only a processor that lacks instructions ends a program.
    case .breakage:
      switch difference.kind {
      case .threads, .kernel, .clocks: false
      case .cpu: difference.name == "flags" && difference.lacksWords
      default: true
      }
    }
  }

  private func isFramework(_ package: String) -> Bool {
    let name = package.lowercased()
    return name.hasPrefix("paddle") || name.hasPrefix("torch") || name.hasPrefix("numpy") || name.hasPrefix("nvidia-")
  }
}

extension EnvironmentDifference {
  /// Of a shared object: where it lies now, or lay.
  var path: String {
    guard !name.hasPrefix("/"), let place = actual ?? expected else { return name }
    return String(place.prefix { $0 != " " })
  }

  /// Whether a word of what was expected is missing.
  fileprivate var lacksWords: Bool {
    !Set((expected ?? "").split(separator: " ")).isSubset(of: (actual ?? "").split(separator: " "))
  }

  fileprivate var isLoaderVariable: Bool { name.hasPrefix("LD_") || name == "GLIBC_TUNABLES" }

  /// Whether a variable only chooses among kernels of one function, or a number of threads.
  var choosesKernels: Bool {
    ["MKL_", "OMP_", "KMP_", "GOMP_", "DNNL_", "ONEDNN_", "OPENBLAS_"].contains { name.hasPrefix($0) }
  }
}
