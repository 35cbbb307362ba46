/// The conditions an image sets in `NVIDIA_REQUIRE_*`: their grammar, and whether a host meets them.
import EnvCatalog
import EnvCore

/// One variable's conditions. A space separates alternatives, a comma what must hold together; several variables must all hold
/// (nvidia-container-toolkit, internal/requirements). The toolkit's own CDI modes do not check them (its issue #1470).
public struct Requirement: Sendable, Equatable {
  /// The variable it stands in.
  public let variable: String
  /// As it was written.
  public let text: String
  let alternatives: [[Condition]]

  /// A property compared with a value.
  struct Condition: Sendable, Equatable {
    enum Property: String, Sendable { case cuda, driver, arch, brand }
    enum Relation: String, Sendable, CaseIterable {
      // Longest first: < begins <= as well.
      case notEqual = "!="
      case atMost = "<="
      case atLeast = ">="
      case equal = "="
      case less = "<"
      case more = ">"
    }

    let property: Property
    let relation: Relation
    let value: String
    var text: String { property.rawValue + relation.rawValue + value }
  }

  /// Parses a variable's value. Properties the grammar does not know are passed over, as the toolkit does.
  ///
  /// - Throws: `GPUError.malformedRequirement` for a term without a relation, or a version that is none.
  public init(variable: String, value: String) throws(GPUError) {
    self.variable = variable
    text = value
    var alternatives: [[Condition]] = []
    for term in value.split(separator: " ") {
      var conditions: [Condition] = []
      for factor in term.split(separator: ",") {
        if let condition = try Self.condition(String(factor), variable) { conditions.append(condition) }
      }
      if !conditions.isEmpty { alternatives.append(conditions) }
    }
    self.alternatives = alternatives
  }

  private static func condition(_ text: String, _ variable: String) throws(GPUError) -> Condition? {
    guard let end = text.firstIndex(where: { "<>=!".contains($0) }),
      let relation = Condition.Relation.allCases.first(where: { text[end...].hasPrefix($0.rawValue) })
    else { throw .malformedRequirement(variable: variable, expression: text) }
    guard let property = Condition.Property(rawValue: String(text[..<end])) else { return nil }
    let value = String(text[end...].dropFirst(relation.rawValue.count))
    guard property == .brand ? !value.isEmpty : Version(parsing: value) != nil else {
      throw .malformedRequirement(variable: variable, expression: text)
    }
    return Condition(property: property, relation: relation, value: value)
  }

  /// The conditions an image's variables set.
  ///
  /// `NVIDIA_DISABLE_REQUIRE` drops all of them, `NVIDIA_REQUIRE_JETPACK*` is for other machines and ignored. An image with `CUDA_VERSION`
  /// and without `NVIDIA_REQUIRE_CUDA` is of the old kind and implies `cuda>=M.m`.
  static func all(in variables: [String: String]) throws(GPUError) -> [Requirement] {
    guard !isDisabled(variables) else { return [] }
    var requirements: [Requirement] = []
    for (name, value) in variables.sorted(by: { $0.key < $1.key })
    where name.hasPrefix("NVIDIA_REQUIRE_") && !name.hasPrefix("NVIDIA_REQUIRE_JETPACK") {
      let requirement = try Requirement(variable: name, value: value)
      if !requirement.alternatives.isEmpty { requirements.append(requirement) }
    }
    return requirements
  }

  /// The words Go's `strconv.ParseBool` takes for true, which the toolkit reads the variable with.
  static func isDisabled(_ variables: [String: String]) -> Bool {
    variables["NVIDIA_DISABLE_REQUIRE"].map { ["1", "t", "T", "TRUE", "true", "True"].contains($0) } ?? false
  }
}

/// What conditions are held against: the host's driver and one GPU.
struct GPUProperties: Sendable {
  var cuda: Version?
  var driver: Version?
  var arch: Version?
  /// Every name that counts as the GPU's brand; empty when it is not known.
  var brands: Set<String> = []

  /// `cuda 12.4, driver 550.54.14, arch 8.0, brand nvidia or tesla`, for what is known.
  var description: String {
    let brand = brands.isEmpty ? nil : "brand " + brands.sorted().joined(separator: " or ")
    let parts = [cuda.map { "cuda \($0)" }, driver.map { "driver \($0)" }, arch.map { "arch \($0)" }, brand].compactMap { $0 }
    return parts.isEmpty ? "nothing known" : parts.joined(separator: ", ")
  }
}

/// Whether a condition holds, where the host may not tell.
enum Truth: Sendable, Equatable {
  case yes, no, unknown
}

extension Requirement {
  /// Kleene's logic: what is not known makes the whole unknown only where it decides.
  func holds(for properties: GPUProperties) -> Truth {
    let results = alternatives.map { Self.all($0, properties) }
    if results.contains(.yes) { return .yes }
    return results.contains(.unknown) ? .unknown : .no
  }

  private static func all(_ conditions: [Condition], _ properties: GPUProperties) -> Truth {
    let results = conditions.map { $0.holds(for: properties) }
    if results.contains(.no) { return .no }
    return results.contains(.unknown) ? .unknown : .yes
  }

  /// The condition to tell of when none of the alternatives holds: the first that fails in the one where most holds. Alternatives for
  /// GPUs of another brand come last, because no driver would make them hold.
  func failing(for properties: GPUProperties) -> Condition? {
    let failures = alternatives.compactMap { conditions -> (held: Int, condition: Condition)? in
      let failing = conditions.filter { $0.holds(for: properties) == .no }
      guard let first = failing.first else { return nil }
      let isForOthers = failing.contains { $0.property == .brand }
      return (isForOthers ? -1 : conditions.count { $0.holds(for: properties) == .yes }, first)
    }
    // The first of the best: what an image asks for in the first place comes first.
    let most = failures.map(\.held).max()
    return failures.first { $0.held == most }?.condition
  }
}

extension Requirement.Condition {
  func holds(for properties: GPUProperties) -> Truth {
    let found: Version?
    switch property {
    case .cuda: found = properties.cuda
    case .driver: found = properties.driver
    case .arch: found = properties.arch
    case .brand: return brandHolds(properties.brands)
    }
    guard let found, let wanted = Version(parsing: value) else { return .unknown }
    let order = Self.order(found, wanted)
    let holds =
      switch relation {
      case .equal: order == 0
      case .notEqual: order != 0
      case .less: order < 0
      case .atMost: order <= 0
      case .more: order > 0
      case .atLeast: order >= 0
      }
    return holds ? .yes : .no
  }

  private func brandHolds(_ brands: Set<String>) -> Truth {
    guard !brands.isEmpty else { return .unknown }
    let isEqual = brands.contains(value)
    switch relation {
    case .equal: return isEqual ? .yes : .no
    case .notEqual: return isEqual ? .no : .yes
    // Brands have no order. The toolkit compares them as text, which says nothing about a GPU.
    default: return .unknown
    }
  }

  /// Missing numbers are zero: CUDA 12 is 12.0.
  private static func order(_ left: Version, _ right: Version) -> Int {
    for index in 0..<max(left.components.count, right.components.count) {
      let (a, b) = (
        index < left.components.count ? left.components[index] : 0, index < right.components.count ? right.components[index] : 0
      )
      if a != b { return a < b ? -1 : 1 }
    }
    return 0
  }
}
