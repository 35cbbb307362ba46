/// Package databases read out of real unpacked layers: what a layer hides is not seen, and two images are told apart.
import Archive
import EnvCore
import EnvStore
import OCI
import SafeFS
import SystemPackage
import TestSupport
import Testing

@testable import EnvImage

private func metadata(_ name: String, _ version: String, at folder: String = "usr/lib/python3/dist-packages") -> TarItem {
  .file("\(folder)/\(name)-\(version).dist-info/METADATA", "Metadata-Version: 2.1\nName: \(name)\nVersion: \(version)\n\nVersion: 9\n")
}

private func status(_ packages: [(name: String, version: String)], state: String = "install ok installed") -> TarItem {
  .file(
    "var/lib/dpkg/status",
    packages.map { "Package: \($0.name)\nStatus: \(state)\nDescription: x\n Version: 7\nVersion: \($0.version)\n" }.joined(separator: "\n"))
}

/// The inventory of layers as the store unpacks them, as one line a package.
private func inventory(_ layers: [[TarItem]]) throws -> (lines: [String], inventory: PackageInventory) {
  try withTemporaryFolder { folder in
    let store = try Store(home: folder.appending("home"))
    let blobs = try layers.map { try store.ingest(try tar($0), object: "layer") }
    let config = ImageConfig(platform: .host, created: nil, config: .init(), diffIDs: blobs.map(\.digest), history: [])
    let configBlob = try store.ingest(try CanonicalJSON.encode(config), object: "config")
    let manifest = ImageManifest(
      config: Descriptor(mediaType: .imageConfig, digest: configBlob.digest, size: configBlob.size),
      layers: blobs.map { Descriptor(mediaType: .layerTar, digest: $0.digest, size: $0.size) })
    let image = try #require(try store.image(try store.ingest(try CanonicalJSON.encode(manifest), object: "manifest").digest))
    let inventory = try PackageInventory(of: store.materialise(image).layers)
    let lines = inventory.versions.map { "\($0.key.manager) \($0.key.name) \($0.value.joined(separator: ","))" }.sorted()
    return (lines, inventory)
  }
}

@Suite(.needs(.root)) struct PackageInventoryTests {
  @Test func bothDatabases() throws {
    let found = try inventory([
      [status([("bash", "5.2-1"), ("libc6", "2.36")]), metadata("NumPy", "1.26.4"), metadata("ruamel.yaml_Clib", "0.2")],
      [metadata("numpy", "2.0.0", at: "opt/venv/lib/python3.11/site-packages")],
    ])
    #expect(
      found.lines == ["dpkg bash 5.2-1", "dpkg libc6 2.36", "python numpy 1.26.4,2.0.0", "python ruamel-yaml-clib 0.2"])
    #expect(found.inventory.unread.isEmpty)
  }

  @Test("an image without dpkg keeps a file a package") func statusFolder() throws {
    let found = try inventory([
      [
        .file("var/lib/dpkg/status.d/base", "Package: base-files\nVersion: 12\n"),
        .file("var/lib/dpkg/status.d/base.md5sums", "d41d8cd98f00b204e9800998ecf8427e  etc/x\n"),
        .file("var/lib/dpkg/status.d/tz", "Package: tzdata\r\nVersion: 2024a\r\n"),
      ]
    ])
    #expect(found.lines == ["dpkg base-files 12", "dpkg tzdata 2024a"])
  }

  @Test func onlyWhatIsInstalled() throws {
    #expect(try inventory([[status([("gone", "1")], state: "deinstall ok config-files")]]).lines.isEmpty)
    #expect(try inventory([[status([("half", "1")], state: "install ok half-configured")]]).lines.isEmpty)
  }

  @Test func upperLayersReplaceAndHide() throws {
    let base: [TarItem] = [status([("bash", "5.1")]), metadata("a", "1"), metadata("b", "1"), metadata("c", "1", at: "opt/venv/lib")]
    #expect(try inventory([base, [status([("bash", "5.2")])]]).lines.first == "dpkg bash 5.2")
    func lines(_ upper: [TarItem]) throws -> [String] { try inventory([base, upper]).lines.filter { $0.hasPrefix("python") } }
    let packages = "usr/lib/python3/dist-packages"
    #expect(try lines([]) == ["python a 1", "python b 1", "python c 1"])
    #expect(try lines([.file("\(packages)/.wh.a-1.dist-info")]) == ["python b 1", "python c 1"])
    #expect(try lines([.file("\(packages)/a-1.dist-info/.wh.METADATA")]) == ["python b 1", "python c 1"])
    #expect(try lines([.file("usr/.wh.lib"), metadata("d", "4")]) == ["python c 1", "python d 4"])
    // The marker hides lower layers only, wherever it stands among its siblings.
    #expect(try lines([metadata("d", "4"), .file("\(packages)/.wh..wh..opq")]) == ["python c 1", "python d 4"])
    #expect(try lines([.symlink("opt/venv", to: "/elsewhere")]) == ["python a 1", "python b 1"])
    #expect(try lines([.file("opt", "a file where a folder was")]) == ["python a 1", "python b 1"])
    #expect(try lines([.folder("\(packages)/a-1.dist-info/METADATA")]) == ["python b 1", "python c 1"])
    // What comes back in a third layer is seen.
    let third = try inventory([base, [.file("usr/.wh.lib")], [metadata("a", "3")]]).lines
    #expect(third == ["dpkg bash 5.1", "python a 3", "python c 1"])
  }

  @Test func othersAreNamedAndNotRead() throws {
    let found = try inventory([
      [
        .file("var/lib/rpm/rpmdb.sqlite", "x"), .file("usr/lib/sysimage/rpm/Packages", "x"), .file("lib/apk/db/installed", "P:x"),
        .file("opt/conda/conda-meta/zlib-1.json", "{}"),
      ]
    ])
    #expect(found.lines.isEmpty)
    #expect(found.inventory.unread == ["apk", "conda", "rpm"])
  }

  @Test func differences() throws {
    let before = try inventory([[status([("bash", "5.1"), ("dash", "1")]), metadata("numpy", "1.26.4")]]).inventory
    let after = try inventory([[status([("bash", "5.2"), ("dash", "1")]), metadata("pandas", "2")]]).inventory
    #expect(
      before.changes(to: after) == [
        .init(manager: .dpkg, name: "bash", before: ["5.1"], after: ["5.2"]),
        .init(manager: .python, name: "numpy", before: ["1.26.4"], after: []),
        .init(manager: .python, name: "pandas", before: [], after: ["2"]),
      ])
    #expect(before.changes(to: before).isEmpty)
  }

  @Test func nonsenseIsPassedOver() throws {
    let found = try inventory([
      [
        .file("var/lib/dpkg/status", "\n\n:\nPackage\nPackage: x\n\n\u{0}\nVersion: 1\n"), .file("a/b.dist-info/METADATA", "Name: x\n"),
        .symlink("c/d.dist-info/METADATA", to: "/etc/passwd"), .symlink("var/lib/dpkg/status.d/x", to: "/"),
      ]
    ])
    #expect(found.lines.isEmpty)
  }
}
