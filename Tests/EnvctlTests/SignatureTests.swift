/// Signatures as a whole: signed by openssl(1), kept in a real registry or a layout, demanded by rules, and refused when anything is amiss.
import EnvCore
import EnvRegistry
import Hashing
import OCI
import SafeFS
import SystemPackage
import TestSupport
import Testing

extension EnvctlTests {
  @Suite(
    .needs(
      .root, .tool("runc"), .tool("busybox", package: "busybox-static"), .tool("docker-registry"), .tool("skopeo"), .tool("openssl")))
  struct SignatureTests {
    /// A small image in a layout and in a registry, and two people with keys.
    private struct Scene {
      let program: Program
      let layout: FilePath
      let registry: LocalRegistry
      let reference: ImageReference
      let image: Digest
      let team: KeyPair
      let stranger: KeyPair

      init(in folder: FilePath) throws {
        var program = try SmallImage.program(in: folder)
        layout = folder.appending("copied")
        registry = try LocalRegistry(in: folder.appending("registry"))
        reference = try ImageReference(parsing: "\(registry.address)/team/app:1")
        try Self.copy("oci:\(folder)/layout", "docker://\(reference)")
        // The registry's image has compressed layers and with them another digest.
        try Self.copy("docker://\(reference)", "oci:\(layout)")
        image = try registry.client.resolve(reference).digest
        team = try KeyPair(name: "team", in: program.folder)
        stranger = try KeyPair(name: "stranger", in: program.folder)
        program.variables = ["ENVCTL_INSECURE_REGISTRIES": registry.address]
        self.program = program
      }

      /// Copies an image with a tool that knows nothing of signatures.
      static func copy(_ source: String, _ destination: String) throws {
        let options = ["--insecure-policy", "copy", "--quiet", "--src-tls-verify=false", "--dest-tls-verify=false"]
        let copied = try Tool.run("skopeo", options + [source, destination])
        try #require(copied.status == 0, "\(copied.text)")
      }

      /// Brings the signatures in the registry into the layout.
      func copySignaturesToLayout() throws {
        let tag = "sha256-\(image.hex).sig"
        try Self.copy("docker://\(tagged(tag))", "oci:\(layout):\(tag)")
      }

      /// Puts what refers to the image into the layout as `cosign save` would: manifests without a name.
      func copyToLayout(_ manifest: [UInt8], _ annotations: [String: String]?) throws {
        let blobs = layout.appending("blobs/sha256")
        let content = try ImageManifest.parse(manifest, object: "manifest")
        for descriptor in content.layers + [content.config] {
          let bytes = try registry.client.document(descriptor, in: reference, object: "blob")
          try FileSystem.writeAtomically(bytes, to: blobs.appending(descriptor.digest.hex))
        }
        let digest = Digest.sha256(of: manifest)
        try FileSystem.writeAtomically(manifest, to: blobs.appending(digest.hex))
        let file = layout.appending("index.json")
        var index = try ImageIndex.parse(FileSystem.readFile(file), object: "index.json")
        var entry = Descriptor(mediaType: .imageManifest, digest: digest, size: Int64(manifest.count), annotations: annotations)
        entry.artifactType = content.artifactType
        index.manifests.append(entry)
        try FileSystem.writeAtomically(CanonicalJSON.encode(index), to: file)
      }

      /// Signs a digest in cosign's first layout, in the registry.
      func sign(_ digest: Digest, of signed: Digest? = nil, by pair: KeyPair) throws {
        let payload = Array(
          """
          {"critical":{"identity":{"docker-reference":"\(reference.name)"},"image":{"docker-manifest-digest":"\(signed ?? digest)"},\
          "type":"cosign container image signature"},"optional":null}
          """.utf8)
        var layer = try registry.push(payload, "application/vnd.dev.cosign.simplesigning.v1+json", to: reference)
        layer.annotations = ["dev.cosignproject.cosign/signature": try base64(pair.sign(payload))]
        let config = try registry.push(Array("{}".utf8), MediaType.imageConfig.rawValue, to: reference)
        let manifest = try CanonicalJSON.encode(ImageManifest(config: config, layers: [layer]))
        try registry.client.pushManifest(manifest, mediaType: .imageManifest, to: tagged("sha256-\(digest.hex).sig"))
      }

      /// Attaches a Sigstore bundle. This registry lists no referrers, so the tag of the fallback names it.
      func attachBundle(to digest: Digest, by pair: KeyPair) throws {
        let type = "application/vnd.dev.sigstore.bundle.v0.3+json"
        let statement = Array(
          """
          {"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":"\(digest.hex)"}}],\
          "predicateType":"https://sigstore.dev/cosign/sign/v1","predicate":{}}
          """.utf8)
        let signed = Array("DSSEv1 28 application/vnd.in-toto+json \(statement.count) ".utf8) + statement
        let bundle = """
          {"mediaType":"\(type)","verificationMaterial":{"publicKey":{"hint":""},"tlogEntries":[]},"dsseEnvelope":{"payload":\
          "\(try base64(statement))","payloadType":"application/vnd.in-toto+json","signatures":[{"sig":"\(try base64(pair.sign(signed)))"}]}}
          """
        let layer = try registry.push(Array(bundle.utf8), type, to: reference)
        let config = try registry.push(Array("{}".utf8), "application/vnd.oci.empty.v1+json", to: reference)
        var manifest = ImageManifest(config: config, layers: [layer])
        manifest.artifactType = type
        manifest.subject = try registry.client.manifest(digest, in: reference).descriptor
        let bytes = try CanonicalJSON.encode(manifest)
        try registry.client.pushManifest(bytes, mediaType: .imageManifest, to: tagged(nil))
        var entry = Descriptor(mediaType: .imageManifest, digest: .sha256(of: bytes), size: Int64(bytes.count))
        entry.artifactType = type
        let index = try CanonicalJSON.encode(ImageIndex(manifests: [entry]))
        try registry.client.pushManifest(index, mediaType: .imageIndex, to: tagged("sha256-\(digest.hex)"))
      }

      func tagged(_ tag: String?) -> ImageReference {
        ImageReference(registry: reference.registry, repository: reference.repository, tag: tag)
      }

      func check(_ image: String? = nil, by pair: KeyPair) throws -> Outcome {
        try program("trust", "check", image ?? "\(reference)", "--key", pair.publicFile.string)
      }

      /// openssl(1)'s idea of the fingerprint.
      func fingerprint(_ pair: KeyPair) throws -> String {
        let der = program.folder.appending("der")
        try openssl(["pkey", "-pubin", "-in", pair.publicFile.string, "-outform", "DER", "-out", der.string])
        return try "sha256:" + Tool.run("sha256sum", der.string).text.prefix(64)
      }

      /// Digests of the blobs in the program's store.
      func blobs() throws -> [String] { (try? FileSystem.list(program.home.appending("blobs/sha256"))) ?? [] }

      func base64(_ bytes: [UInt8]) throws -> String {
        let file = program.folder.appending("bytes")
        try FileSystem.writeAtomically(bytes, to: file)
        return try Tool.run("base64", "-w0", file.string).text
      }
    }

    private func scene(_ body: (Scene) throws -> Void) throws { try withTemporaryFolder { try body(Scene(in: $0)) } }

    private let policy = "schema: 1\nverify:\n  - {images: \"**\", keys: [team.pub]}\n"

    @Test func whoSigned() throws {
      try scene { scene in
        let unsigned = try scene.check(by: scene.team)
        #expect(unsigned.status == 5)
        #expect(unsigned.errors.contains("'\(scene.reference)' is not signed, and --key demands a signature"))
        try scene.sign(scene.image, by: scene.team)
        let signed = try scene.check(by: scene.team)
        let key = try scene.fingerprint(scene.team)
        #expect(signed.output == "\(scene.image) signed by \(key) (cosign-v1, as \(scene.reference.name))\n", "\(signed.errors)")
        let foreign = try scene.check(by: scene.stranger)
        #expect(foreign.status == 5)
        #expect(foreign.errors.contains("1 signature, none of them by a key that --key names"))
        #expect(try scene.check(by: KeyPair(name: "none", in: scene.program.folder)).status == 5)
        try scene.attachBundle(to: scene.image, by: scene.stranger)
        let both = try scene.program(
          "trust", "check", "\(scene.reference)", "--key", "team.pub", "--key", "stranger.pub", "--format", "json"
        ).json()
        #expect(both["digest"].string == "\(scene.image)")
        #expect(Set(both["signatures"].items.compactMap { $0["kind"].string }) == ["cosign-v1", "sigstore-bundle"])
        #expect(try scene.check("\(scene.reference.name)@\(scene.image)", by: scene.stranger).status == 0)
      }
    }

    @Test func signatureOfAnotherImage() throws {
      try scene { scene in
        try scene.sign(scene.image, of: Digest.sha256(of: [1]), by: scene.team)
        let outcome = try scene.check(by: scene.team)
        #expect(outcome.status == 5)
        #expect(outcome.errors.contains("what is signed is another image, \(Digest.sha256(of: [1]))"))
      }
    }

    @Test func signedIndex() throws {
      try scene { scene in
        var entry = try scene.registry.client.resolve(scene.reference)
        entry.platform = .host
        let index = try CanonicalJSON.encode(ImageIndex(manifests: [entry]))
        let many = scene.tagged("many")
        try scene.registry.client.pushManifest(index, mediaType: .imageIndex, to: many)
        try scene.sign(Digest.sha256(of: index), by: scene.team)
        #expect(try scene.check("\(many)", by: scene.team).output.hasPrefix("\(Digest.sha256(of: index)) signed by"))
        // The manifest alone is not signed; through the index it is.
        #expect(try scene.check(by: scene.team).status == 5)
        try scene.program.write(policy, to: "policy.yaml")
        var program = scene.program
        program.variables["ENVCTL_POLICY"] = "policy.yaml"
        #expect(try program("image", "pull", "\(scene.reference)").status == 5)
        #expect(try program("image", "pull", "\(many)").status == 0)
      }
    }

    @Test("signatures outlive their registry: pull, save and load under one rule", arguments: ["image", "index"])
    func travelling(_ signed: String) throws {
      try scene { scene in
        var reference = scene.reference
        if signed == "index" {
          var entry = try scene.registry.client.resolve(scene.reference)
          entry.platform = .host
          let index = try CanonicalJSON.encode(ImageIndex(manifests: [entry]))
          reference = scene.tagged("many")
          try scene.registry.client.pushManifest(index, mediaType: .imageIndex, to: reference)
          try scene.sign(Digest.sha256(of: index), by: scene.team)
        } else {
          try scene.sign(scene.image, by: scene.team)
          try scene.attachBundle(to: scene.image, by: scene.stranger)
        }
        try scene.program.write(policy, to: "policy.yaml")
        var first = scene.program
        first.variables["ENVCTL_POLICY"] = "policy.yaml"
        try #require(first.pull("\(reference)") == scene.image)
        for name in ["a.tar", "b.tar", "oci:saved"] {
          let saved = try first("image", "save", "\(scene.image)", "-o", name)
          #expect(saved.status == 0, "\(saved.errors)")
          #expect(saved.errors.contains("with its signatures"), "\(saved.errors)")
        }
        let (one, two) = (first.folder.appending("a.tar"), first.folder.appending("b.tar"))
        #expect(try FileSystem.readFile(one) == FileSystem.readFile(two))
        for name in ["a.tar", "oci:saved"] {
          var second = first
          second.home = first.folder.appending("second-" + FileSystem.uniqueSuffix())
          second.variables["ENVCTL_INSECURE_REGISTRIES"] = nil
          let loaded = try second("image", "load", name)
          #expect(loaded.output == "\(scene.image)\n", "\(loaded.errors)")
          // And from there on.
          try #require(second("image", "save", "\(scene.image)", "-o", "c.tar").status == 0)
          #expect(try FileSystem.readFile(first.folder.appending("c.tar")) == FileSystem.readFile(one))
        }
        let nobody = try KeyPair(name: "nobody", in: first.folder)
        #expect(try scene.program("trust", "check", "oci-archive:a.tar", "--key", nobody.publicFile.string).status == 5)
        if signed == "image" {
          // The bundle was never asked for by the rule; it lies beside the image all the same.
          #expect(try scene.program("trust", "check", "oci-archive:a.tar", "--key", scene.stranger.publicFile.string).status == 0)
        }
      }
    }

    @Test("what is pushed takes its signatures along") func pushed() throws {
      try scene { scene in
        try scene.sign(scene.image, by: scene.team)
        try scene.attachBundle(to: scene.image, by: scene.stranger)
        try scene.program.write(policy, to: "policy.yaml")
        var program = scene.program
        program.variables["ENVCTL_POLICY"] = "policy.yaml"
        try #require(program("image", "pull", "\(scene.reference)").status == 0)
        let other = "\(scene.registry.address)/other/app:2"
        let pushed = try program("image", "push", "\(scene.image)", other)
        #expect(pushed.errors.contains("with its signatures"), "\(pushed.errors)")
        for pair in [scene.team, scene.stranger] {
          let found = try scene.check(other, by: pair)
          #expect(found.status == 0, "\(found.errors)")
        }
      }
    }

    @Test func nothingFurtherIsFetched() throws {
      try scene { scene in
        try scene.program.write(policy, to: "policy.yaml")
        var program = scene.program
        program.variables["ENVCTL_POLICY"] = "policy.yaml"
        let manifest = try ImageManifest.parse(scene.registry.client.manifest(scene.reference).bytes, object: "manifest")
        let layer = try #require(manifest.layers.first).digest.hex
        let refused = try program("image", "pull", "\(scene.reference)")
        #expect(refused.status == 5)
        #expect(refused.errors.contains("policy.yaml:3:14 demands a signature"), "\(refused.errors)")
        #expect(try program("image", "load", "oci:\(scene.layout)").status == 5)
        #expect(try !scene.blobs().contains(layer))
        try scene.sign(scene.image, by: scene.stranger)
        #expect(try program("image", "pull", "\(scene.reference)").status == 5)
        #expect(try !scene.blobs().contains(layer))
        try scene.sign(scene.image, by: scene.team)
        #expect(try program("image", "pull", "\(scene.reference)").output == "\(scene.image)\n")
        #expect(try scene.blobs().contains(layer))
        #expect(try program("trust", "check", "\(scene.reference)").status == 0)
        // Without the policy nobody is asked.
        #expect(try scene.program("trust", "check", "\(scene.reference)").status == 2)
      }
    }

    @Test func theLockSaysWhoSigned() throws {
      try scene { scene in
        let program = scene.program
        let pinned = "\(scene.reference.name)@\(scene.image)"
        try program.write("schema: 1\nverify:\n  - {images: \(scene.registry.address)/**, keys: [team.pub]}\n", to: "rules.yaml")
        try program.project(pinned, "check: none\npolicy: rules.yaml\n")
        let refused = try program("lock")
        #expect(refused.status == 5, "\(refused.errors)")
        #expect(!FileSystem.exists(program.folder.appending("envctl.lock")))
        try scene.sign(scene.image, by: scene.team)
        #expect(try program("lock").status == 0)
        let lock = try JSON(String(decoding: FileSystem.readFile(program.folder.appending("envctl.lock")), as: UTF8.self))
        #expect(try lock["signatures"].items.map { $0["key"].string } == [scene.fingerprint(scene.team)])
        #expect(lock["signatures"].items.first?["kind"].string == "cosign-v1")
        #expect(lock["signatures"].items.first?["digest"].string == "\(scene.image)")
        let ran = try program("run", "--", "/bin/sh", "-c", "echo in")
        #expect(ran.output == "in\n", "\(ran.errors)")
        // Kept in the store, the signature is there when the registry is not.
        var offline = program
        offline.wrapper = ["unshare", "--net"]
        #expect(try offline("run", "--", "/bin/sh", "-c", "echo in").output == "in\n")
        // Somebody without rules does not make the lock forget.
        try program.project(pinned)
        #expect(try program("run", "--", "/bin/sh", "-c", "echo in").status == 0)
        let kept = try JSON(String(decoding: FileSystem.readFile(program.folder.appending("envctl.lock")), as: UTF8.self))
        #expect(kept["signatures"].items.count == 1)
        try program.project(pinned, "check: none\npolicy: rules.yaml\n")
        try program.write("schema: 1\nverify:\n  - {images: \(scene.registry.address)/**, keys: [stranger.pub]}\n", to: "rules.yaml")
        #expect(try program("run", "--", "/bin/sh", "-c", "echo in").status == 5)
      }
    }

    @Test func layoutWithoutANetwork() throws {
      try scene { scene in
        let program = scene.program
        let rule = "check: none\nverify:\n  - {images: \"oci:**\", keys: [team.pub]}\n"
        try program.project("oci:\(scene.layout)", rule)
        let unsigned = try program("run", "--", "/bin/sh", "-c", "echo in")
        #expect(unsigned.status == 5)
        #expect(unsigned.errors.contains("envctl.yaml:5:14 demands a signature"), "\(unsigned.errors)")
        #expect(try scene.blobs().isEmpty)
        try scene.sign(scene.image, by: scene.team)
        try scene.copySignaturesToLayout()
        let beside = try scene.check("oci:\(scene.layout)", by: scene.team)
        #expect(beside.status == 0, "\(beside.errors)")
        #expect(try program("run", "--", "/bin/sh", "-c", "echo in").output == "in\n")
        // What was proven once is proven from the store, also when the layout is gone.
        let archive = scene.layout.removingLastComponent().appending("gone")
        try FileSystem.rename(scene.layout, to: archive)
        #expect(try program("run", "--", "/bin/sh", "-c", "echo in").output == "in\n")
        try program.project("oci:\(scene.layout)", rule.replacing("team", with: "stranger"))
        #expect(try program("run", "--", "/bin/sh", "-c", "echo in").status != 0)
      }
    }

    @Test func layoutWithSignaturesThatHaveNoName() throws {
      try scene { scene in
        try scene.attachBundle(to: scene.image, by: scene.team)
        let bundle = try #require(try scene.registry.client.referrers(of: scene.image, in: scene.reference).first)
        try scene.copyToLayout(scene.registry.client.manifest(bundle.digest, in: scene.reference).bytes, nil)
        let signed = try scene.check("oci:\(scene.layout)", by: scene.team)
        #expect(signed.output.contains("(sigstore-bundle)"), "\(signed.errors)")
        try scene.sign(scene.image, by: scene.stranger)
        let saved = try scene.registry.client.manifest(scene.tagged("sha256-\(scene.image.hex).sig")).bytes
        try scene.copyToLayout(saved, ["kind": "dev.cosignproject.cosign/sigs"])
        #expect(try scene.check("oci:\(scene.layout)", by: scene.stranger).output.contains("(cosign-v1"))
      }
    }

    @Test func archiveWithItsSignature() throws {
      try scene { scene in
        try scene.sign(scene.image, by: scene.team)
        try scene.copySignaturesToLayout()
        let archive = scene.program.folder.appending("image.tar")
        try #require(Tool.run("tar", "-C", scene.layout.string, "-cf", archive.string, "blobs", "index.json", "oci-layout").status == 0)
        #expect(try scene.check("oci-archive:\(archive)", by: scene.team).status == 0)
        #expect(try scene.check("oci-archive:\(archive)", by: scene.stranger).status == 5)
      }
    }

    @Test func privateKeyIsRefused() throws {
      try scene { scene in
        let outcome = try scene.program("trust", "check", "\(scene.reference)", "--key", scene.team.privateFile.string)
        #expect(outcome.status == 2)
        #expect(outcome.errors.contains("holds a private key"))
      }
    }

    @Test func brokenPolicyIsNotNone() throws {
      try scene { scene in
        var program = scene.program
        program.variables["ENVCTL_POLICY"] = "missing.yaml"
        for command in [["image", "pull", "\(scene.reference)"], ["run", "--", "/bin/sh"]] {
          let outcome = try program.command(command).run()
          #expect(outcome.status.code == 2)
          #expect(String(decoding: outcome.errors, as: UTF8.self).contains("the policy 'missing.yaml' cannot be read"))
        }
        #expect(try scene.blobs().isEmpty)
      }
    }
  }
}
