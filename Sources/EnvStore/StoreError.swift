/// What can go wrong with stored content. Damage is a case of its own, with both digests.
import EnvCore
import SystemPackage

/// An error of the store.
public enum StoreError: Diagnostic {
  /// Content is not what its digest says.
  case digestMismatch(object: String, expected: Digest, actual: Digest, path: FilePath?)
  case sizeMismatch(object: String, expected: Int64, actual: Int64)
  /// A file of an unpacked layer differs from the layer's manifest.
  case fileChanged(layer: Digest, difference: FileDifference)
  case missingBlob(object: String, digest: Digest)
  case malformedLayer(object: String, reason: String, underlying: (any Error)?)
  /// The layer unpacks to more than any real one does.
  case decompressionBomb(object: String, limit: Int64)
  case newerStore(path: FilePath, schema: Int)
  case unusableHome(path: FilePath, underlying: any Error)
  case needsRoot(action: String)
  /// A file of the image belongs to an id this user namespace has no number for.
  case unmappedOwner(file: String, uid: UInt32, gid: UInt32)
  case malformedLayout(path: FilePath, reason: String)
  case unreadableRecord(path: FilePath, reason: String)

  public var summary: String {
    switch self {
    case .digestMismatch(let object, let expected, let actual, _): "\(object) is damaged: expected \(expected), found \(actual)"
    case .sizeMismatch(let object, let expected, let actual): "\(object) has \(actual) bytes, expected \(expected)"
    case .fileChanged(let layer, let difference): "layer \(layer) was changed after it was unpacked: \(difference)"
    case .missingBlob(let object, let digest): "\(object) (\(digest)) is missing"
    case .malformedLayer(let object, let reason, _): "\(object) cannot be unpacked: \(reason)"
    case .decompressionBomb(let object, let limit):
      "\(object) unpacks to more than \(ByteCount(limit)), which its compressed size does not justify: it is made to fill a disk"
    case .newerStore(let path, let schema): "the store at '\(path)' has schema \(schema), which is newer than this envctl knows"
    case .unusableHome(let path, _): "the store at '\(path)' cannot be used"
    case .needsRoot(let action): "\(action) needs root: files must get the owners the image gives them"
    case .unmappedOwner(let file, let uid, let gid):
      "\(file) belongs to \(uid):\(gid) in the image, and your subordinate ids do not reach that far"
    case .malformedLayout(let path, let reason): "'\(path)' is not a usable OCI image layout: \(reason)"
    case .unreadableRecord(let path, let reason): "the record '\(path)' cannot be read: \(reason)"
    }
  }

  public var cause: (any Error)? {
    switch self {
    case .malformedLayer(_, _, let underlying): underlying
    case .unusableHome(_, let underlying): underlying
    default: nil
    }
  }

  public var hint: String? {
    switch self {
    case .digestMismatch(_, _, _, .some): "`envctl verify --repair` drops what is damaged, so that the next command makes it anew"
    case .fileChanged: "`envctl verify` lists every changed file; `envctl verify --repair` unpacks the layer again"
    case .newerStore: "use the envctl that made it, or set ENVCTL_HOME to another folder"
    case .unusableHome: "set ENVCTL_HOME to a folder you may write to"
    case .needsRoot: "run the command with sudo"
    case .unmappedOwner: "give yourself a larger range in /etc/subuid and /etc/subgid, or run the command with sudo"
    default: nil
    }
  }

  public var exitCode: ExitCode {
    switch self {
    case .digestMismatch, .sizeMismatch, .fileChanged, .malformedLayer, .decompressionBomb, .missingBlob, .malformedLayout: .verification
    case .newerStore, .unreadableRecord: .failed
    case .unusableHome, .needsRoot, .unmappedOwner: .host
    }
  }
}
