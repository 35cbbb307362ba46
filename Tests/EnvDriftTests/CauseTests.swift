/// What is named as the cause of a deviation, by its pattern and by the differences of the environment.
import EnvCore
import EnvDrift
import Testing

@Suite struct CauseTests {
  /// The suspects of a run changed in its environment, and deviating as float64, float32 or neither does.
  private func suspects(
    _ pattern: Cause.Pattern, operators: [String: Double] = ["exp": 0.25], _ change: (inout FakeTraining) -> Void
  ) throws -> [String] {
    let baseline = try baseline {
      $0.operators = ["exp": 0.25]
      $0.contents = ["paddlepaddle": "1"]
      $0.libraries["/srv/dist-packages/paddle/libmkl.so"] = "1"
    }
    func changed(_ training: inout FakeTraining) {
      training.contents = ["paddlepaddle": "1"]
      training.libraries["/srv/dist-packages/paddle/libmkl.so"] = "1"
      training.operators = operators
      change(&training)
    }
    let run = lines(
      float32: {
        changed(&$0)
        $0.lossOffset = pattern == .precision ? [2: 0.1] : pattern == .rounding ? [2: 1e-8] : [:]
      },
      float64: {
        changed(&$0)
        $0.lossOffset = pattern == .semantics ? [2: 0.1] : [:]
        if pattern == .inputs { $0.data = "5" }
      })
    let cause = try #require(try Comparison(with: baseline).judge(observe(run)).cause)
    #expect(cause.pattern == pattern)
    return cause.suspects.map(\.description)
  }

  @Test func aPreloadedObjectIsNamedOnceAndFirst() throws {
    let found = try suspects(.precision) {
      $0.preloaded = ["/tmp/libslow.so"]
      $0.variables = ["LD_PRELOAD": "/tmp/libslow.so", "MKL_CBWR": "AVX"]
      $0.libraries["/tmp/libslow.so"] = "7"
      $0.packages["numpy"] = "2.0.0"
    }
    #expect(
      found == [
        "preload /tmp/libslow.so is loaded, was absent", "package numpy is 2.0.0, was 1.26.4", "variable MKL_CBWR is AVX, was absent",
      ])
  }

  @Test func aPreloadedObjectMayBeNamedWithoutItsFolder() throws {
    let found = try suspects(.precision) {
      $0.preloaded = ["libslow.so"]
      $0.libraries["/usr/local/lib/libslow.so"] = "7"
    }
    #expect(found == ["preload libslow.so is loaded, was absent"])
  }

  @Test func aSwappedLibraryComesBeforeAPackage() throws {
    let found = try suspects(.precision) {
      $0.libraries["/usr/lib/libm.so.6"] = "7"
      $0.packages["astor"] = "9"
    }
    #expect(found.first?.hasPrefix("library /usr/lib/libm.so.6 is sha256:777") == true)
  }

  @Test func aLibraryFromElsewhereIsOneDifference() throws {
    let found = try suspects(.precision) {
      $0.libraries["/usr/lib/libm.so.6"] = nil
      $0.libraries["/srv/fast/libm.so.6"] = "7"
    }
    #expect(found.count == 1)
    #expect(found[0].hasPrefix("library libm.so.6 is /srv/fast/libm.so.6 (sha256:777"))
  }

  @Test func thePackageAnswersForItsObjects() throws {
    let found = try suspects(.semantics) {
      $0.packages["paddlepaddle"] = "3.0.0"
      $0.libraries["/srv/dist-packages/paddle/libmkl.so"] = "7"
    }
    #expect(found == ["package paddlepaddle is 3.0.0, was 2.6.2 (and 1 of its shared objects)"])
  }

  @Test func alteredFilesOfOneVersionAreNamed() throws {
    let found = try suspects(.semantics) { $0.contents["paddlepaddle"] = "7" }
    #expect(found.count == 1 && found[0].hasPrefix("files paddlepaddle is sha256:777"))
  }

  @Test func kernelsAndThreadsCannotChangeTheComputation() throws {
    let change: (inout FakeTraining) -> Void = {
      $0.threads = "2"
      $0.cpu = "Another CPU"
      $0.variables = ["MKL_CBWR": "AVX"]
    }
    #expect(try suspects(.semantics, change) == [])
    #expect(try suspects(.inputs, change) == [])
    #expect(try suspects(.rounding, change).count == 4)
  }

  @Test func aHyperparameterCannotMoveFloat32Alone() throws {
    #expect(try suspects(.precision) { $0.learningRate = "0.1" } == [])
    #expect(try suspects(.semantics) { $0.learningRate = "0.1" } == ["hyperparameter learning_rate is 0.1, was 0.003"])
  }

  @Test func theLibraryOfTheOperatorComesFirst() throws {
    let found = try suspects(.precision, operators: ["exp": 2]) {
      $0.libraries["/usr/lib/libm.so.6"] = "7"
      $0.libraries["/usr/lib/liba.so"] = "7"
    }
    #expect(found.map { $0.contains("libm.so.6") } == [true, false])
  }

  @Test func identicalRunsHaveNoCause() throws {
    #expect(try Comparison(with: try baseline()).judge(observe(lines(float32: { $0.threads = "2" }))).cause == nil)
  }
}
