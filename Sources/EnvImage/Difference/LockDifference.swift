/// Two pinned environments taken apart into atomic changes, and put together again with any of them. Which changes need which others is in
/// `LockDifference+Needs`.
import EnvCore

/// What leads from a good environment to a bad one.
///
/// Not among the changes is what computes nothing: an image's name, labels, command, time, and how packages are spread over layers.
public struct LockDifference: Sendable {
  public let good: PinnedRecipe
  public let bad: PinnedRecipe
  /// By kind, then in the order of names.
  public let changes: [LockChange]

  public init(from good: PinnedRecipe, to bad: PinnedRecipe) {
    self.good = good
    self.bad = bad
    let (was, now) = (good.recipe, bad.recipe)
    var changes = Self.compare(.debian, good.lock.debianByName, bad.lock.debianByName, same: { $0.sha256 == $1.sha256 }) { $0.version }
    changes += Self.single(.interpreter, was.python?.version, now.python?.version)
    changes += Self.compare(.wheel, good.lock.wheelsByName, bad.lock.wheelsByName, same: { $0.sha256 == $1.sha256 }) { $0.version }
    changes += Self.compare(
      .file, good.lock.filesByPath, bad.lock.filesByPath, same: { $0.sha256 == $1.sha256 && $0.isExecutable == $1.isExecutable }
    ) { $0.sha256.short }
    changes += Self.compare(.link, was.linksByPath, now.linksByPath, same: ==) { "\($0.target)" }
    changes += Self.compare(.variable, was.variables, now.variables, same: ==) { $0 }
    changes += Self.compare(.setting, good.settings, bad.settings, same: ==) { $0 }
    changes += Self.single(.user, was.user, now.user)
    changes += Self.single(.workingDirectory, "\(was.workingDirectory)", "\(now.workingDirectory)")
    self.changes = changes
  }

  /// The good environment with some of the changes, by their place in `changes`.
  public func applying(_ applied: Set<Int>) throws -> PinnedRecipe {
    let chosen = Dictionary(grouping: applied.map { changes[$0] }, by: \.kind).mapValues { Set($0.map(\.name)) }
    func mixed<Value>(_ kind: LockChange.Kind, _ was: [String: Value], _ now: [String: Value]) -> [String: Value] {
      var result = was
      for name in chosen[kind] ?? [] { result[name] = now[name] }
      return result
    }
    var (recipe, lock) = (good.recipe, good.lock)
    let debian = mixed(.debian, good.lock.debianByName, bad.lock.debianByName)
    recipe.debian.layers += bad.recipe.debian.layers.filter { layer in
      !recipe.debian.layers.contains { $0.name == layer.name } && debian.values.contains { $0.layer == layer.name }
    }
    let layers = recipe.debian.layers.map(\.name)
    lock.debian = debian.values.sorted { left, right in
      let (first, second) = (layers.firstIndex(of: left.layer) ?? 0, layers.firstIndex(of: right.layer) ?? 0)
      return first == second ? left.package.utf8.lexicographicallyPrecedes(right.package.utf8) : first < second
    }
    lock.python = mixed(.wheel, good.lock.wheelsByName, bad.lock.wheelsByName).values.sorted { $0.project < $1.project }
    lock.files = mixed(.file, good.lock.filesByPath, bad.lock.filesByPath).values
      .sorted { $0.path.relative.utf8.lexicographicallyPrecedes($1.path.relative.utf8) }
    recipe.links = mixed(.link, good.recipe.linksByPath, bad.recipe.linksByPath).values
      .sorted { $0.path.relative.utf8.lexicographicallyPrecedes($1.path.relative.utf8) }
    let variables = mixed(.variable, good.recipe.variables, bad.recipe.variables)
    // In the order of the recipes, so that without a change the image is the very same.
    var names: [String] = []
    for variable in good.recipe.environment + bad.recipe.environment {
      let name = Recipe.variableName(variable)
      if !names.contains(name) { names.append(name) }
    }
    recipe.environment = names.compactMap { name in variables[name].map { "\(name)=\($0)" } }
    if chosen[.interpreter] != nil { recipe.python = bad.recipe.python }
    if chosen[.user] != nil { recipe.user = bad.recipe.user }
    if chosen[.workingDirectory] != nil { recipe.workingDirectory = bad.recipe.workingDirectory }
    return try PinnedRecipe(mixed: recipe, lock, settings: mixed(.setting, good.settings, bad.settings))
  }

  private static func compare<Value>(
    _ kind: LockChange.Kind, _ was: [String: Value], _ now: [String: Value], same: (Value, Value) -> Bool, text: (Value) -> String
  ) -> [LockChange] {
    Set(was.keys).union(now.keys).sorted().compactMap { name in
      let (before, after) = (was[name], now[name])
      if let before, let after, same(before, after) { return nil }
      return LockChange(kind: kind, name: name, before: before.map(text), after: after.map(text))
    }
  }

  private static func single(_ kind: LockChange.Kind, _ before: String?, _ after: String?) -> [LockChange] {
    before == after ? [] : [LockChange(kind: kind, name: "", before: before, after: after)]
  }
}

extension RecipeLock {
  var debianByName: [String: DebianPin] { Dictionary(debian.map { ($0.package, $0) }) { first, _ in first } }
  var wheelsByName: [String: WheelPin] { Dictionary(python.map { ($0.project, $0) }) { first, _ in first } }
  fileprivate var filesByPath: [String: FilePin] { Dictionary(files.map { ($0.path.description, $0) }) { first, _ in first } }
}

extension Recipe {
  fileprivate var linksByPath: [String: Link] { Dictionary(links.map { ($0.path.description, $0) }) { first, _ in first } }
  fileprivate static func variableName(_ text: String) -> String { split(text, at: "=").0 }
  fileprivate var variables: [String: String] { Dictionary(environment.map { split($0, at: "=") }) { _, last in last } }
}
