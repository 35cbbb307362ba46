/// Images that are odd and legal. What umoci makes of them is what a container must see.
import EnvCore
import OCI
import RegistryHarness
import TestSupport
import Testing

struct OddImage: Sendable, CustomTestStringConvertible {
  /// Whose unpacking counts: umoci 0.4 knows no sparse files of GNU tar, which has to vouch for its own.
  enum Witness { case umoci, tar }

  let testDescription: String
  let witness: Witness
  let image: @Sendable () throws -> ImageFixture

  init(_ name: String, _ layers: @escaping @Sendable () -> [[TarItem]]) {
    testDescription = name
    witness = .umoci
    image = { ImageFixture(try layers().map { try ImageFixture.Layer($0) }) }
  }

  /// Layers made by tar programs: each script leaves one in `out`.
  init(_ name: String, witness: Witness = .umoci, scripts: String...) {
    testDescription = name
    self.witness = witness
    image = { ImageFixture(try scripts.map { ImageFixture.Layer(tar: try shell($0)) }) }
  }

  private init(_ name: String, image: @escaping @Sendable () throws -> ImageFixture) {
    testDescription = name
    witness = .umoci
    self.image = image
  }

  private static let root = TarItem.folder("./")

  static let all: [OddImage] = [
    OddImage("an opaque marker after its siblings") {
      [
        [
          root, .folder("d"), .file("d/old"), .folder("d/other"), .file("d/other/old"), .folder("d/sub"), .file("d/sub/same", "old"),
        ],
        [
          .folder("d", mode: 0o700), .file("d/new"), .folder("d/sub"), .file("d/sub/new"), .file("d/sub/same", "new"),
          .file("d/.wh..wh..opq"),
        ],
      ]
    },
    OddImage("a whiteout beside what it hides") {
      [[root, .folder("a"), .file("a/x", "old")], [.folder("a"), .file("a/y"), .file("a/.wh.x")]]
    },
    OddImage("a folder that is hidden and made anew") {
      [[root, .folder("a", mode: 0o700), .file("a/old")], [.file(".wh.a"), .folder("a", mode: 0o711), .file("a/new")]]
    },
    OddImage("entries that are listed twice") {
      [
        [
          root, .file("a", "first"), .file("a", "second", mode: 0o600), .folder("b"), .file("b/in"),
          .folder("b", mode: 0o711, time: 1_200_000_000),
          .symlink("c", to: "a"), .file("c", "no link any more"), .file("e", "a file"), .folder("e"),
        ]
      ]
    },
    OddImage("names of 255 bytes and paths of 1,200") {
      let name = String(repeating: "n", count: 255)
      let folders = (1...12).map { String(repeating: String(repeating: "d", count: 99) + "/", count: $0) }
      return [[root, .file(name, "long")] + folders.map { .folder($0) } + [.file(folders[11] + "deep", "deep")]]
    },
    OddImage("a link replaced by a folder between two layers") {
      [
        [root, .folder("usr"), .folder("usr/lib"), .file("usr/lib/x", "old"), .symlink("lib", to: "usr/lib")],
        [.folder("lib", mode: 0o750), .file("lib/y", "new")],
      ]
    },
    OddImage("a folder replaced by a link between two layers") {
      [
        [root, .folder("lib"), .file("lib/x", "old"), .folder("usr"), .folder("usr/lib")],
        [.symlink("lib", to: "usr/lib"), .file("usr/lib/y", "new")],
      ]
    },
    OddImage("devices, pipes and odd modes") {
      [
        [
          root, .other("null", .characterDevice(major: 1, minor: 3), mode: 0o666),
          .other("loop", .blockDevice(major: 7, minor: 9), mode: 0o660),
          .other("pipe", .fifo, mode: 0o622), .file("setuid", "s", mode: 0o6755), .folder("sticky", mode: 0o1777),
          .file("closed", "c", mode: 0),
        ]
      ]
    },
    OddImage("absolute paths and links that lead out") {
      [
        [
          root, .file("/etc-file", "absolute"), .symlink("up", to: "../../../.."), .symlink("host", to: "/etc"), .folder("etc"),
          .hardlink("same", to: "/etc-file"),
        ]
      ]
    },
    OddImage("folders the layer does not list") {
      [
        [
          root, .folder("srv", mode: 0o2750, uid: 12, time: 1_111_111_111), .folder("srv/in", mode: 0o700, uid: 13),
          .file("srv/in/old", uid: 14),
        ],
        [.file("srv/in/new", "n", uid: 15)],
      ]
    },
    OddImage("a folder the layer does not list, below a link of a lower layer") {
      [
        [root, .folder("usr"), .folder("usr/lib", mode: 0o751, uid: 3), .file("usr/lib/old"), .symlink("lib", to: "usr/lib")],
        [.file("lib/new", "through the link")],
      ]
    },
    OddImage("hardlinks to files of lower layers") {
      [
        [
          root, .folder("a", mode: 0o711, uid: 5), .file("a/target", "content", mode: 0o4711, uid: 6, attributes: ["user.x": [1, 2]]),
          .symlink("a/link", to: "target"),
        ],
        [.folder("b"), .hardlink("b/one", to: "a/target"), .hardlink("b/two", to: "a/target")],
      ]
    },
    OddImage("a layer listed twice") { [[root, .file("a", "one")], [.file("b", "two")], [root, .file("a", "one")]] },
    OddImage("an empty layer") { [[root, .file("a")], []] },
    OddImage(
      "GNU long names, sparse files, and owners beyond octal", witness: .tar,
      scripts: """
        mkdir -m 755 t; n=$(printf 'l%.0s' $(seq 200)); mkdir t/$n; echo long > t/$n/$n; ln -s $n/$n t/link; ln t/$n/$n t/hard
        truncate -s 5M t/sparse; echo middle | dd of=t/sparse bs=1 seek=2000000 conv=notrunc status=none; truncate -s 1M t/hole
        chown 3000000:2500000 t/hard; tar --format=gnu -S --sort=name --mtime=@1234567890 -C t -cf out .
        """),
    OddImage(
      "pax records: long names, attributes, nanoseconds, sparse files",
      scripts: """
        mkdir -m 755 t; n=$(printf 'é%.0s' $(seq 120)); mkdir t/$n; echo long > t/$n/$n; truncate -s 3M t/sparse; echo end >> t/sparse
        touch -d '2001-02-03 04:05:06.123456789' t/$n/$n t/sparse; tar --format=posix -S --xattrs --sort=name -C t -cf out .
        """),
    OddImage("several gzip members in one blob", image: inMembers),
  ]

  private static func inMembers() throws -> ImageFixture {
    let plain = try ImageFixture.small().layers[0]
    let pieces = [plain.blob[..<700], plain.blob[700..<701], plain.blob[701...]]
    let blob = try pieces.flatMap { try compress(Array($0), "gzip -n") }
    return ImageFixture([ImageFixture.Layer(tar: plain.blob, blob: blob, mediaType: .layerGzip)])
  }
}
