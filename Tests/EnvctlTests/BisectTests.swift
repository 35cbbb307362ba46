/// `envctl bisect` between two real locks: the cause it names, what it keeps, and what it refuses.
import SafeFS
import SystemPackage
import TestSupport
import Testing

extension EnvctlTests {
  @Suite(.serialized)
  struct BisectTests {
    /// Two copies of the recipe the project ships, side by side as two checkouts of it would be; the second is changed and locked anew.
    private static func pair(_ program: Program, _ change: (FilePath) throws -> Void) throws -> (good: String, bad: String) {
      for side in ["good", "bad"] {
        let folder = program.folder.appending(side)
        try? FileSystem.removeTree(folder)
        try FileSystem.createDirectories(folder)
        for name in ["paddle-2.6-cpu", "workloads"] {
          try #require(Tool.run("cp", "-r", Program.checkout.appending("images/\(name)").string, folder.string).status == 0)
        }
      }
      let recipe = program.folder.appending("bad/paddle-2.6-cpu")
      try change(recipe)
      // The packages are the same, so nobody is asked for them.
      let locked = try program("image", "lock", recipe.string)
      try #require(locked.status == 0, "\(locked.errors)")
      return ("good/paddle-2.6-cpu/image.lock", "bad/paddle-2.6-cpu/image.lock")
    }

    private static func edit(_ recipe: FilePath, _ replaced: String, _ replacement: String) throws {
      let file = recipe.appending("image.yaml")
      let text = String(decoding: try FileSystem.readFile(file), as: UTF8.self)
      try #require(text.contains(replaced))
      try FileSystem.writeAtomically(Array(text.replacing(replaced, with: replacement).utf8), to: file)
    }

    @Test(.needs(.root, .tool("runc"), .tool("clang"))) func aPreloadedFunctionIsFoundWithItsVariable() throws {
      let program = try Shared.program("bisect")
      try? FileSystem.removeTree(Shared.home.appending("bisect"))
      let (good, bad) = try Self.pair(program) { recipe in
        // An expf that is one unit in the last place too high.
        let source = """
          #define _GNU_SOURCE
          #include <dlfcn.h>
          #include <math.h>
          float expf(float x) {
            static float (*real)(float);
            if (!real) real = (float (*)(float))dlsym(RTLD_NEXT, "expf");
            return nextafterf(real(x), INFINITY);
          }
          """
        try FileSystem.writeAtomically(Array(source.utf8), to: recipe.appending("drift.c"))
        let compiled = try Tool.run(
          "clang", "-shared", "-fPIC", "-O2", "-o", recipe.appending("drift.so").string, recipe.appending("drift.c").string, "-lm", "-ldl")
        try #require(compiled.status == 0, "\(compiled.text)")
        let planted = "  /usr/lib/drift.so: drift.so\n\nenvironment:\n  SEED: \"7\"\n  LD_PRELOAD: /usr/lib/drift.so\n"
        try Self.edit(recipe, "\nenvironment:\n", planted)
      }
      let first = try program("bisect", "--format", "json", good, bad, deadline: .seconds(900))
      #expect(first.status == 3, "\(first.errors)")
      let result = try first.json()
      #expect(result["outcome"].string == "cause found")
      #expect(result["changes"].items.compactMap { $0["name"].string } == ["/usr/lib/drift.so", "LD_PRELOAD", "SEED"])
      #expect(result["causes"].items.count == 1)
      let cause = try #require(result["causes"].items.first)
      #expect(cause["changes"].items.compactMap { $0["name"].string } == ["/usr/lib/drift.so", "LD_PRELOAD"])
      #expect(cause["isMinimal"].bool == true)
      #expect(cause["firstOperator"].string?.hasPrefix("float32 ") == true)
      #expect(result["symptom"]["tier"].string == "T1 operators")

      // What was measured is not measured again, and the answer is the same.
      let second = try program("bisect", good, bad)
      #expect(second.status == 3, "\(second.errors)")
      #expect(second.output.contains("cause: file /usr/lib/drift.so: none → "))
      #expect(second.output.contains("; with variable LD_PRELOAD: none → /usr/lib/drift.so\n"))
      #expect(!second.errors.contains("riskmodel operators"))
      #expect(second.errors.contains("(measured before)"))
    }

    @Test func locksThatCannotBeComparedAreRefused() throws {
      try withTemporaryFolder { folder in
        var program = Program(home: folder.appending("home"), folder: folder)
        let (good, bad) = try Self.pair(program) { try Self.edit($0, "LANG: C.UTF-8", "LANG: C") }
        func refusal(_ good: String, _ bad: String, _ status: Int32, _ parts: String...) throws {
          let ended = try program("bisect", good, bad)
          #expect(ended.status == status, "\(ended.errors)")
          for part in parts { #expect(ended.errors.contains(part), "\(ended.errors)") }
          #expect(ended.output.isEmpty)
        }
        try refusal(good, good, 2, "pin the same packages, files and variables")
        try refusal("nowhere.lock", bad, 1, "nowhere.lock")
        try program.write("schema: 1\n", to: "text.lock")
        try program.write("{\"schema\": 1}\n", to: "other.lock")
        try refusal("text.lock", bad, 2, "'text.lock' is neither an image.lock nor an envctl.lock")
        try refusal(good, "other.lock", 2, "'other.lock' is neither an image.lock nor an envctl.lock")

        // A recipe that was changed and not locked.
        let recipe = folder.appending("bad/paddle-2.6-cpu")
        try Self.edit(recipe, "LANG: C", "LANG: de_DE.UTF-8")
        try refusal(good, bad, 2, "was made from another image.yaml", "envctl image lock")
        try Self.edit(recipe, "linux/amd64", "linux/arm64")
        try refusal(good, bad, 6, "is of linux/arm64, which cannot be measured on linux/amd64")

        // A lock alone belongs to the catalog's recipe of its name.
        try #require(Tool.run("cp", folder.appending(good).string, folder.appending("alone.lock").string).status == 0)
        let text = String(decoding: try FileSystem.readFile(folder.appending("alone.lock")), as: UTF8.self)
        try refusal("alone.lock", good, 2, "pin the same packages")
        try program.write(text.replacing("\"name\" : \"paddle-2.6-cpu\"", with: "\"name\" : \"unknown\""), to: "alone.lock")
        try refusal("alone.lock", good, 2, "no image.yaml beside it and no such recipe in the catalog")

        // A package that no mirror has any more.
        program.variables["ENVCTL_DEBIAN_MIRROR"] = "file:///nonexistent"
        program.variables["ENVCTL_PYTHON_INDEX"] = "file:///nonexistent"
        let (again, changed) = try Self.pair(program) { try Self.edit($0, "LANG: C.UTF-8", "LANG: C") }
        guard Capability.isRoot else { return }
        try refusal(again, changed, 1, "the environment of 'good/paddle-2.6-cpu/image.lock' cannot be made", "cannot fetch")
      }
    }
  }
}
