/// PEM, as far as a file with a public key needs it: labels and what stands between them (RFC 7468).
import EnvCore

enum PEMDocument {
  /// A key fits many times over.
  static let largest = 64 << 10

  /// The bytes of the one block labelled PUBLIC KEY.
  static func publicKey(in bytes: [UInt8], object: String) throws(SigningError) -> [UInt8] {
    guard bytes.count <= largest else { throw .malformedKey(object: object, reason: "it is longer than \(largest >> 10) KiB") }
    let blocks = try blocks(in: bytes, object: object)
    // Looked for first: whatever else the file holds, this must not lie about where keys of others are read.
    if let block = blocks.first(where: { $0.label.hasSuffix("PRIVATE KEY") }) { throw .privateKey(object: object, label: block.label) }
    guard let block = blocks.first else { throw .malformedKey(object: object, reason: "it holds no PEM block") }
    guard blocks.count == 1 else { throw .malformedKey(object: object, reason: "it holds \(blocks.count) PEM blocks, where one belongs") }
    guard block.label == "PUBLIC KEY" else { throw .malformedKey(object: object, reason: "it holds a \(block.label), not a PUBLIC KEY") }
    guard let content = Base64.decode(block.body) else { throw .malformedKey(object: object, reason: "its content is not base64") }
    return content
  }

  private struct Block {
    var label: String
    var body: [UInt8] = []
  }

  /// Text outside the blocks is a remark.
  private static func blocks(in bytes: [UInt8], object: String) throws(SigningError) -> [Block] {
    var blocks: [Block] = []
    var open: Block?
    for line in bytes.split(whereSeparator: { $0 == 10 || $0 == 13 }) {
      let text = String(decoding: line, as: UTF8.self)
      if let label = label(text, after: "-----BEGIN ") {
        guard open == nil else { throw .malformedKey(object: object, reason: "a PEM block begins inside another") }
        open = Block(label: label)
      } else if let label = label(text, after: "-----END ") {
        guard let block = open, block.label == label else {
          throw .malformedKey(object: object, reason: "the end of '\(label)' has no begin")
        }
        blocks.append(block)
        open = nil
      } else {
        open?.body += line.filter { $0 != 32 && $0 != 9 }
      }
    }
    if let open {
      guard !open.label.hasSuffix("PRIVATE KEY") else { throw .privateKey(object: object, label: open.label) }
      throw .malformedKey(object: object, reason: "the block '\(open.label)' has no end")
    }
    return blocks
  }

  private static func label(_ line: String, after prefix: String) -> String? {
    guard line.hasPrefix(prefix), let end = line.dropFirst(prefix.count).firstRange(of: "-----") else { return nil }
    return String(line[line.index(line.startIndex, offsetBy: prefix.count)..<end.lowerBound])
  }
}
