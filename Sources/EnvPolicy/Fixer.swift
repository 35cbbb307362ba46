/// `--fix`: digests written behind the references that lack them; every other byte stays.
import EnvCore
import OCI
import SafeFS
import SystemPackage

/// One digest that was written into a file.
public struct AppliedPin: Sendable, Hashable {
  public let file: String
  public let line: Int
  /// What was resolved, with the tag that was asked for.
  public let reference: ImageReference
  public let digest: Digest
  /// Whether the tag moves: the digest holds it still, and people should know where.
  public let wasMoving: Bool
}

public enum Fixer {
  /// What a fix did.
  public struct Outcome: Sendable {
    public var applied: [AppliedPin] = []
    /// Pins that could not be made; the files keep their findings.
    public var failures: [PolicyError] = []

    public init() {}
  }

  /// Pins every finding of `report` that can be pinned.
  ///
  /// Each reference is resolved once. A file is replaced as a whole, with its mode and owner, and only when it still is what was linted.
  public static func fix(_ report: LintReport, resolver: some DigestResolver) -> Outcome {
    var outcome = Outcome()
    var digests: [ImageReference: Result<Digest, any Error>] = [:]
    let files = Dictionary(grouping: report.findings.filter { $0.pin != nil }) { $0.place.file }
    for (file, findings) in files.sorted(by: { $0.key < $1.key }) {
      var pins: [Int: (finding: Finding, reference: ImageReference, digest: Digest)] = [:]
      for finding in findings {
        guard let pin = finding.pin else { continue }
        let answer = digests[pin.reference] ?? Result { try resolver.digest(of: pin.reference) }
        digests[pin.reference] = answer
        switch answer {
        case .success(let digest): pins[pin.offset] = (finding, pin.reference, digest)
        case .failure(let error):
          outcome.failures.append(.unresolved(pin.reference, file: file, line: finding.place.line, underlying: error))
        }
      }
      guard !pins.isEmpty else { continue }
      do {
        try write(file, pins.mapValues(\.digest), findings)
        outcome.applied += pins.sorted { $0.key < $1.key }.map { _, pin in
          AppliedPin(
            file: file, line: pin.finding.place.line, reference: pin.reference, digest: pin.digest,
            wasMoving: pin.reference.tag.map(Pinning.isMoving) ?? false)
        }
      } catch let error as PolicyError {
        outcome.failures.append(error)
      } catch {
        outcome.failures.append(.unwritable(file: file, underlying: error))
      }
    }
    return outcome
  }

  private static func write(_ file: String, _ digests: [Int: Digest], _ findings: [Finding]) throws {
    let path = FilePath(file)
    let old = try FileSystem.readFile(path)
    // Lint the bytes again: the pins must mean now what they meant when they were found.
    let before = FileLint(old, path: file).findings
    let places = Set(before.compactMap(\.pin))
    guard findings.allSatisfy({ $0.pin.map(places.contains) ?? true }) else { throw PolicyError.changedMeanwhile(file: file) }
    let new = pinned(old, digests)
    // An argument with a digest in it no longer fits where something follows it, as in `${BASE}-slim`.
    guard malformed(FileLint(new, path: file).findings) <= malformed(before) else { throw PolicyError.harmfulFix(file: file) }
    do {
      try FileSystem.replaceFile(path, expecting: old, with: new)
    } catch {
      throw error.errno == .staleNFSFileHandle ? PolicyError.changedMeanwhile(file: file) : .unwritable(file: file, underlying: error)
    }
  }

  private static func malformed(_ findings: [Finding]) -> Int { findings.count { $0.rule == .malformedReference } }

  /// `bytes` with `@digest` inserted at each offset.
  static func pinned(_ bytes: [UInt8], _ digests: [Int: Digest]) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count + 72 * digests.count)
    var last = 0
    for (offset, digest) in digests.sorted(by: { $0.key < $1.key }) {
      result += bytes[last..<offset]
      result += Array("@\(digest)".utf8)
      last = offset
    }
    return result + bytes[last...]
  }
}
