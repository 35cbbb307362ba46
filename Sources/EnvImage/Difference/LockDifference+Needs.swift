/// Which changes cannot be made without which others, as the packages themselves say. What they do not say shows when an environment in
/// between is tried.
import Archive
import EnvCore
import EnvStore
import SystemPackage

extension LockDifference {
  /// One change that needs another, both by their place in `changes`.
  public struct Need: Sendable, Hashable {
    public var change: Int
    public var needed: Int
  }

  /// What follows from `Requires-Dist` of wheels and from `Depends` of Debian packages, all of which must be in the store.
  ///
  /// A package that changes may ask for what the good environment does not have, and may be asked for by one that goes; either way one of the
  /// two changes needs the other.
  /// - Throws: `ImageError`, `ArchiveError` and `StoreError` for a package that cannot be read.
  public func needs(in store: Store) throws -> [Need] {
    try wheelNeeds(store) + debianNeeds(store) + interpreterNeeds
  }

  private func wheelNeeds(_ store: Store) throws -> [Need] {
    let versions = (good.lock.wheelsByName.mapValues(\.version), bad.lock.wheelsByName.mapValues(\.version))
    let places = places(of: .wheel)
    var needs: [Need] = []
    for (name, place) in places.sorted(by: { $0.value < $1.value }) {
      for (pin, isNew) in [(bad.lock.wheelsByName[name], true), (good.lock.wheelsByName[name], false)] {
        guard let pin, let blob = try store.blob(pin.sha256, object: pin.filename) else { continue }
        for requirement in try WheelMetadata.requirements(blob.path, filename: pin.filename) {
          guard let other = places[requirement.project], other != place else { continue }
          let met = (requirement.isMet(by: versions.0[requirement.project]), requirement.isMet(by: versions.1[requirement.project]))
          if let need = self.need(place, other, isNew: isNew, met) { needs.append(need) }
        }
      }
    }
    return needs
  }

  /// Versions other than exactly equal ones are not compared: libraries keep their interfaces, and what does not fit shows when it is tried.
  private func debianNeeds(_ store: Store) throws -> [Need] {
    let versions = (good.lock.debianByName.mapValues(\.version), bad.lock.debianByName.mapValues(\.version))
    let places = places(of: .debian)
    var needs: [Need] = []
    for (name, place) in places.sorted(by: { $0.value < $1.value }) {
      for (pin, isNew) in [(bad.lock.debianByName[name], true), (good.lock.debianByName[name], false)] {
        guard let pin, let blob = try store.blob(pin.sha256, object: pin.path) else { continue }
        let control = try DebianPackage(blob.path, pin: pin).control
        for alternatives in DebianRelation.parse(control["Pre-Depends"] + "," + control["Depends"]) {
          let met = (
            alternatives.contains { $0.isMet(by: versions.0[$0.package]) }, alternatives.contains { $0.isMet(by: versions.1[$0.package]) }
          )
          for other in alternatives.compactMap({ places[$0.package] }) where other != place {
            if let need = self.need(place, other, isNew: isNew, met) { needs.append(need) }
          }
        }
      }
    }
    return needs
  }

  /// What a package, as it is before or after its change, asks of another: is it `met` by the other as it is before and after its own?
  private func need(_ place: Int, _ other: Int, isNew: Bool, _ met: (before: Bool, after: Bool)) -> Need? {
    if isNew { return !met.before && met.after ? Need(change: place, needed: other) : nil }
    return met.before && !met.after ? Need(change: other, needed: place) : nil
  }

  /// Another Python comes with its own packages and needs wheels that are compiled for it: all of that is one change.
  private var interpreterNeeds: [Need] {
    guard let interpreter = changes.firstIndex(where: { $0.kind == .interpreter }) else { return [] }
    let bound = changes.indices.filter { index in
      let change = changes[index]
      switch change.kind {
      case .wheel: return [good.lock, bad.lock].contains { $0.wheelsByName[change.name]?.filename.contains("-cp3") == true }
      case .debian: return change.name.hasPrefix("python3.") || change.name.hasPrefix("libpython3.")
      default: return false
      }
    }
    return bound.flatMap { [Need(change: $0, needed: interpreter), Need(change: interpreter, needed: $0)] }
  }

  private func places(of kind: LockChange.Kind) -> [String: Int] {
    Dictionary(changes.indices.filter { changes[$0].kind == kind }.map { (changes[$0].name, $0) }) { first, _ in first }
  }
}

/// One alternative of a dependency (Debian Policy §7.1).
struct DebianRelation: Equatable {
  var package: String
  /// Of `(= version)`; other comparisons are left out.
  var exactVersion: String?

  func isMet(by version: String?) -> Bool { version != nil && (exactVersion == nil || exactVersion == version) }

  /// Each dependency with its alternatives.
  static func parse(_ field: String) -> [[DebianRelation]] {
    field.split { $0 == "," || $0.isNewline }.map { dependency in
      dependency.split(separator: "|").compactMap { text in
        let words = text.split { $0.isWhitespace || $0 == "(" || $0 == ")" }
        guard let name = words.first?.split(separator: ":").first else { return nil }
        return DebianRelation(package: String(name), exactVersion: words.count > 2 && words[1] == "=" ? String(words[2]) : nil)
      }
    }.filter { !$0.isEmpty }
  }
}

extension WheelMetadata {
  /// What the wheel at `path` requires wherever it is installed.
  static func requirements(_ path: FilePath, filename: String) throws -> [PythonRequirement] {
    var reader = try ArchiveReader(opening: path.string, format: .zip, object: filename)
    while let entry = try reader.next() {
      let parts = entry.path.split(separator: "/")
      guard parts.count == 2, parts[0].hasSuffix(".dist-info"), parts[1] == "METADATA" else { continue }
      // The description follows after the first empty line.
      let fields = ControlParagraph.parse(String(decoding: try reader.readAll(limit: 16 << 20), as: UTF8.self)).first?.fields ?? []
      return fields.filter { $0.name.lowercased() == "requires-dist" }.compactMap { PythonRequirement($0.value) }
    }
    throw ImageError.malformedPackage(object: filename, reason: "it has no METADATA")
  }
}
