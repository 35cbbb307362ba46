/// Archives around pickles: PyTorch's forms, old and new, and files that are two things at once.
import Archive
import EnvCore
import SafeFS
import SystemPackage
import TestSupport
import Testing

@testable import EnvModels

@Suite struct ContainerTests {
  static let evil = [UInt8].text("cos\nsystem\n(S'id'\ntR.")

  /// The pickle of {'w': a float tensor of 4 elements}, as torch.save writes it.
  static let tensor: [UInt8] = {
    func unicode(_ text: String) -> [UInt8] { [UInt8(ascii: "X")] + .number(text.utf8.count, 4) + .text(text) }
    var bytes: [UInt8] = [0x80, 2, 0x7D, 0x71, 0]
    bytes += unicode("w") + .text("q\u{1}ctorch._utils\n_rebuild_tensor_v2\nq\u{2}((")
    bytes += unicode("storage") + .text("q\u{3}ctorch\nFloatStorage\nq\u{4}")
    bytes += unicode("0") + .text("q\u{5}")
    bytes += unicode("cpu") + .text("q\u{6}K\u{4}tq\u{7}QK\u{0}K\u{4}")
    bytes += [0x85] + .text("q\u{8}K\u{1}")
    bytes += [0x85, 0x71, 9, 0x89]
    return bytes + .text("ccollections\nOrderedDict\nq\n)Rq\u{B}tq\u{C}Rq\rs.")
  }()

  static func torch(_ pickle: [UInt8], _ more: [ZipItem] = []) -> [ZipItem] {
    [
      ZipItem(name: "archive/data.pkl", content: pickle), ZipItem(name: "archive/byteorder", content: .text("little")),
      // A storage may begin with the very bytes of a pickle; nothing unpickles it.
      ZipItem(name: "archive/data/0", content: evil), ZipItem(name: "archive/version", content: .text("3\n")),
    ] + more
  }

  @Test(arguments: [false, true]) func torchZip(_ zip64: Bool) throws {
    let sound = try scan(zip(Self.torch(Self.tensor), zip64: zip64), "model.pt")
    #expect(sound.format == .torchZip && sound.pickles == 1 && sound.findings == [], "\(sound)")
    #expect(sound.globals == ["collections.OrderedDict", "torch.FloatStorage", "torch._utils._rebuild_tensor_v2"])
    let bad = try scan(zip(Self.torch(Self.evil), zip64: zip64), "model.bin")
    #expect(bad.findings.map(\.description) == ["archive/data.pkl, GLOBAL, byte 0: it imports os.system"])
  }

  @Test("what is hidden in an archive is looked for") func hidden() throws {
    let nested = zip(Self.torch(Self.tensor, [ZipItem(name: "inner.zip", content: zip([ZipItem(name: "a/x.pkl", content: Self.evil)]))]))
    #expect(try scan(nested).findings.map(\.member) == ["inner.zip!a/x.pkl"])
    let unnamed = zip([ZipItem(name: "weights", content: Self.evil)])
    #expect(try scan(unnamed).findings.map(\.global) == ["os.system"])
    let elsewhere = zip(Self.torch(Self.tensor, [ZipItem(name: "archive/data/0x", content: Self.evil)]))
    #expect(try scan(elsewhere).findings.map(\.member) == ["archive/data/0x"])
    let script = zip(Self.torch(Self.tensor, [ZipItem(name: "archive/code/__torch__.py", content: .text("import os"))]))
    #expect(try scan(script).findings.map(\.kind) == [.code])
    var deep = Self.evil
    for _ in 0..<6 { deep = zip([ZipItem(name: "a", content: deep)]) }
    #expect(try scan(deep).findings.map(\.kind) == [.limit])
  }

  static let odd: [(String, [UInt8], String)] = {
    let pickle = ZipItem(name: "a/data.pkl", content: tensor)
    let other = ZipItem(name: "b", content: [1])
    let sound = zip([pickle, other])
    var size = sound
    size[sound.count - 10] ^= 1
    return [
      ("two members", zip([pickle, ZipItem(name: "a/data.pkl", content: tensor)]), "two members have this name"),
      ("a gap", zip([pickle, other], gap: evil + evil), "stand bytes that belong to none"),
      ("other local name", zip([ZipItem(name: "a", content: [1], localName: "b")]), "is another one in its local header"),
      ("encrypted", zip([ZipItem(name: "data.pkl", content: evil, flags: 1)]), "it is encrypted"),
      ("bzip2", zip([ZipItem(name: "data.pkl", content: evil, method: 12)]), "compressed by method 12"),
      ("bomb", zip([ZipItem(name: "data.pkl", content: [3, 0], method: 8, statedSize: 1 << 20)]), "which its 2 bytes cannot"),
      (
        "large", zip([ZipItem(name: "data.pkl", content: [UInt8](repeating: 0, count: 1 << 17), method: 8, statedSize: 65 << 20)]),
        "more than is looked"
      ),
      ("no deflate", zip([ZipItem(name: "data.pkl", content: [7, 7, 7], method: 8, statedSize: 9)]), "not a valid compressed stream"),
      ("short deflate", zip([ZipItem(name: "data.pkl", content: [3, 0], method: 8, statedSize: 9)]), "compressed stream"),
      ("stored with two sizes", zip([ZipItem(name: "a", content: [1], statedSize: 2)]), "has two sizes"),
      ("NUL", zip([ZipItem(name: "a.pkl\u{0}.txt", content: [1])]), "holds NUL"),
      ("moved directory", size, "its directory is not where its end record says"),
      ("end record in the comment", zip([pickle], comment: zip([other])), "it is a zip archive that programs may read differently"),
      ("bytes behind", sound + [0], "does not end with a zip's end record"),
      ("cut", Array(sound.dropLast(30)), "does not end with a zip's end record"),
    ]
  }()

  @Test("archives that two programs may read differently", arguments: odd) func ambiguous(
    _ name: String, _ bytes: [UInt8], _ message: String
  )
    throws
  {
    let scan = try scan(bytes, "model.pt")
    #expect(scan.findings.contains { $0.description.contains(message) }, "\(name): \(scan.findings)")
  }

  @Test("every byte of a directory, changed, is noticed or changes nothing that is looked at") func damage() throws {
    let sound = zip([ZipItem(name: "a/data.pkl", content: Self.evil)], zip64: true)
    for index in Self.evil.count + 40..<sound.count {
      for value: UInt8 in [0, 1, 0xFF] where sound[index] != value {
        var bytes = sound
        bytes[index] = value
        #expect(try !scan(bytes, "model.pt").findings.isEmpty, "byte \(index)")
      }
    }
  }

  @Test("a file that is two things at once says so") func polyglots() throws {
    let pickleThenZip = try scan([UInt8].text("N.") + zip([ZipItem(name: "data.pkl", content: Self.tensor)]), "model.pt")
    #expect(pickleThenZip.findings.contains { $0.kind == .hidden && $0.message.contains("ends as one") })
    // zipfile finds the archive all the same.
    let trailing = try scan([UInt8].text("N.") + zip([ZipItem(name: "data.pkl", content: Self.evil)]) + .text("trailing"), "weights.bin")
    #expect(trailing.findings.contains { $0.kind == .hidden && $0.message.contains("ends as one") })
    let prefixed = try scan(zip([ZipItem(name: "data.pkl", content: Self.tensor)], prefix: .text("#!/bin/sh\n")), "model.bin")
    #expect(prefixed.findings.map(\.kind) == [.hidden])
    // A tar whose first name is a pickle.
    let archive = try tar([.file("N.", "harmless"), .file("pickle", String(decoding: Self.evil, as: UTF8.self))])
    let both = try scan(archive, "model.pt")
    #expect(both.format == .torchTar)
    #expect(both.findings.contains { $0.global == "os.system" && $0.member == "pickle" }, "\(both.findings)")
    #expect(both.findings.contains { $0.kind == .unsupported })
  }

  @Test("a header's length that is also PROTO and BINFLOAT") func pickleInSafetensors() throws {
    // The key's V is an opcode that reads to the newline, which is the first byte of the tensor.
    let data = [UInt8].text("\n") + Self.evil
    let json = [UInt8].text(#"{"aV":{"dtype":"U8","shape":[\#(data.count)],"data_offsets":[0,\#(data.count)]}}"#)
    let length = 0x47_0280
    let bytes = [UInt8].number(length, 8) + json + [UInt8](repeating: 0x20, count: length - json.count) + data
    #expect(try walk(bytes).found.findings.map(\.global) == ["os.system"])
    let scan = try scan(bytes, "model.pt")
    #expect(scan.format == .safetensors && scan.findings.map(\.kind) == [.hidden], "\(scan)")
  }

  @Test func tars() throws {
    let plain = try tar([.file("weights/readme.txt", "text"), .file("weights/a.pkl", "N.")])
    let sound = try scan(plain, "weights.tar")
    #expect(sound.format == .tar && sound.findings == [], "\(sound)")
    #expect(try scan(plain, "weights.pt").findings.map(\.kind) == [.unsupported])
    let old = try tar([.file("sys_info", "N."), .file("pickle", "N."), .file("storages", "N."), .file("tensors", "N.")])
    #expect(try scan(old, "weights.tar").format == .torchTar)
    // Forms of the checksum that only Python reads, and a file that is an array as well.
    let sum = plain[..<148].reduce(256 + plain[156..<512].reduce(0) { $0 + Int($1) }) { $0 + Int($1) }
    for form in ["0o" + String(sum, radix: 8), " +" + String(sum, radix: 8) + "\u{0}"] {
      var bytes = plain
      bytes.replaceSubrange(148..<156, with: [UInt8].text(form.padded(to: 8)))
      #expect(SourceScan.isTarHeader(Array(bytes[..<512])), "\(form)")
      #expect(try !scan(bytes, "weights.pt").findings.isEmpty)
    }
    var array = try tar([.file("weights/readme.txt", "text")])
    array.replaceSubrange(0..<6, with: NumpyHeader.magic)
    let changed = array[..<148].reduce(256 + array[156..<512].reduce(0) { $0 + Int($1) }) { $0 + Int($1) }
    array.replaceSubrange(148..<156, with: [UInt8].text(String(changed, radix: 8).padded(to: 8)))
    #expect(try scan(array, "weights.npy").findings.contains { $0.kind == .unsupported })
  }

  @Test("PyTorch's form before 1.6: five pickles and raw bytes") func legacyTorch() throws {
    let magic: [UInt8] = [0x80, 2, 0x8A, 10, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, 0x2E]
    let version: [UInt8] = [0x80, 2, 0x4D, 0xE9, 3, 0x2E]
    let system: [UInt8] = [0x80, 2, 0x7D, 0x2E]
    let keys: [UInt8] = [0x80, 2, 0x5D] + .text("X") + .number(1, 4) + .text("0a.")
    let storage = [UInt8].number(4, 8) + [UInt8](repeating: 0x52, count: 16)
    let sound = try scan(magic + version + system + Self.tensor + keys + storage, "model.pth")
    #expect(sound.format == .torchLegacy && sound.pickles == 5 && sound.findings == [], "\(sound)")
    for bytes in [magic + version + system + Self.evil + keys, magic + Self.evil, magic + version + system + Self.tensor + Self.evil] {
      #expect(try scan(bytes, "model.pth").findings.contains { $0.global == "os.system" })
    }
    #expect(try scan(magic + version, "model.pth").findings.map(\.kind) == [.malformed])
    let sixth = try scan(magic + version + system + Self.tensor + keys + Self.evil, "model.pth")
    #expect(sixth.findings.contains { $0.global == "os.system" } && sixth.findings.contains { $0.kind == .hidden })
  }

  @Test("archives made by Python, deflated and nested", .needs(.tool("python3"))) func byPython() throws {
    try withTemporaryFolder { folder in
      try Python.run(
        """
        import io, os, pickle, sys, zipfile
        class Evil:
            def __reduce__(self): return (os.system, ('id',))
        def archive(name, data, method):
            with zipfile.ZipFile(name, 'w', method) as z: z.writestr('archive/data.pkl', data); z.writestr('archive/version', '3')
        good = pickle.dumps({'w': list(range(20000))})
        archive(sys.argv[1] + '/good.pt', good, zipfile.ZIP_DEFLATED)
        archive(sys.argv[1] + '/evil.pt', pickle.dumps([good, Evil()]), zipfile.ZIP_DEFLATED)
        inner = io.BytesIO(); archive(inner, pickle.dumps(Evil()), zipfile.ZIP_DEFLATED)
        archive(sys.argv[1] + '/nested.pt', inner.getvalue(), zipfile.ZIP_DEFLATED)
        archive(sys.argv[1] + '/bomb.pt', b'\\x8e' + (1 << 26).to_bytes(8, 'little') + bytes(1 << 26) + b'.', zipfile.ZIP_DEFLATED)
        class Stream(io.BytesIO):
            def seekable(self): return False
            def tell(self): raise OSError
        stream = Stream(); archive(stream, good, zipfile.ZIP_DEFLATED)
        open(sys.argv[1] + '/streamed.pt', 'wb').write(stream.getvalue())
        """, folder)
      func found(_ name: String) throws -> ModelScan { try ModelScanner().scan(folder.appending(name)) }
      #expect(try found("good.pt").findings == [] && found("good.pt").pickles == 1)
      #expect(try found("streamed.pt").findings == [] && found("streamed.pt").pickles == 1)
      #expect(try found("evil.pt").findings.map(\.global) == ["posix.system"])
      #expect(try found("nested.pt").findings.map(\.member) == ["archive/data.pkl!archive/data.pkl"])
      #expect(try found("bomb.pt").findings.map(\.kind) == [.limit])
    }
  }
}

extension String {
  /// The text with spaces behind it.
  fileprivate func padded(to count: Int) -> String { self + String(repeating: " ", count: max(0, count - utf8.count)) }
}
