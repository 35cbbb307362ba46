/// `envctl resolve` as scripts and people see it.
import EnvCore
import SafeFS
import SystemPackage
import TestSupport
import Testing

extension EnvctlTests {
  struct ResolveTests {
    private func program(_ body: (Program) throws -> Void) throws {
      try withTemporaryFolder { try body(Program(home: $0.appending("home"), folder: $0)) }
    }

    @Test func published() throws {
      try program { program in
        let outcome = try program("resolve", "paddle", "--version", "2.6.0", "--cuda", "11.7", "--cudnn", "8")
        #expect(outcome.status == 0, "\(outcome.errors)")
        let tag = "paddlepaddle/paddle:2.6.0-gpu-cuda11.7-cudnn8.4-trt8.4"
        #expect(
          outcome.output == """
            paddle 2.6.0, CUDA 11.7, cuDNN 8
            image     registry.baidubce.com/\(tag)
            mirror    ccr-2vdh3abv-pub.cnc.bj.baidubce.com/\(tag)
            mirror    docker.io/\(tag)
            known     published
            cuda      11.7
            cudnn     8.4
            trt       8.4
            driver    ≥ 450.80.02 at the least, 515.43.04 ships with it
            python    3.10
            compute   6.0, 6.1, 7.0, 7.5, 8.0, 8.6
            pinned    no: `envctl lock` asks the registry for the digest

            """)
        #expect(outcome.errors.isEmpty)
        #expect(!FileSystem.exists(program.home))
      }
    }

    @Test func pinnedInTheCatalog() throws {
      try program { program in
        let document = try program("resolve", "paddle", "--version", "2.6.2", "--format", "json").json()
        #expect(document["environment"].string == "paddle-2.6-cpu")
        #expect(document["known"].string == "catalog")
        #expect(document["pinned"]["linux/amd64"].string?.hasPrefix("sha256:") == true)
      }
    }

    @Test func madeByARecipe() throws {
      try program { program in
        let outcome = try program("resolve", "paddle", "--version", "2.6.0", "--cuda", "11.8", "--cudnn", "8")
        #expect(outcome.status == 0, "\(outcome.errors)")
        let lines = outcome.output.split(separator: "\n").filter { !$0.hasPrefix("pinned") }
        #expect(
          lines == [
            "paddle 2.6.0, CUDA 11.8, cuDNN 8", "image     paddle-2.6.0-gpu-cuda11.8-cudnn8",
            "known     catalog; made from packages by images/paddle-2.6.0-gpu-cuda11.8-cudnn8; never published", "cuda      11.8",
            "cudnn     8.6.0.163", "driver    ≥ 450.80.02 at the least, 520.61.05 ships with it", "python    3.11",
            "compute   not known", "nearest   2.6.0-gpu-cuda11.7-cudnn8.4-trt8.4 (published)",
            "nearest   2.6.0-gpu-cuda11.2-cudnn8.2-trt8.0 (published)",
            "nearest   2.6.0-gpu-cuda12.0-cudnn8.9-trt8.6 (published)",
            "nearest   3.0.0-gpu-cuda11.8-cudnn8.9-trt8.6 (third party, verify)",
          ])
        #expect(outcome.output.contains("pinned    linux/amd64 sha256:"))
      }
    }

    @Test func neverPublished() throws {
      try program { program in
        let outcome = try program("resolve", "paddle", "--version", "2.6.1", "--cuda", "11.8", "--cudnn", "8")
        #expect(outcome.status == 2)
        #expect(outcome.output.isEmpty)
        #expect(
          outcome.errors == """
            error: paddle 2.6.1, CUDA 11.8, cuDNN 8: no such image was ever published

            hint: nearest: 2.6.1-gpu-cuda11.7-cudnn8.4-trt8.4 (published), 2.6.1-gpu-cuda11.2-cudnn8.2-trt8.0 (published), \
            2.6.1-gpu-cuda12.0-cudnn8.9-trt8.6 (published), 3.0.0-gpu-cuda11.8-cudnn8.9-trt8.6 (third party, verify)

            """)
        let ambiguous = try program("resolve", "paddle", "--version", "2.6.0", "--cuda", "11", "--format", "json")
        #expect(ambiguous.status == 2)
        #expect(try ambiguous.json()["error"]["hint"].string == "say which: cuda, cudnn, trt, python")
      }
    }

    @Test func nvidia() throws {
      try program { program in
        let outcome = try program("resolve", "cuda", "--version", "12.2.0", "--cudnn", "8", "--os", "ubuntu22.04", "--flavor", "devel")
        #expect(
          outcome.output == """
            NVIDIA's image of CUDA 12.2.0
            image     docker.io/nvidia/cuda:12.2.0-cudnn8-devel-ubuntu22.04
            mirror    nvcr.io/nvidia/cuda:12.2.0-cudnn8-devel-ubuntu22.04
            known     tag grammar
            cuda      12.2.0
            cudnn     8
            driver    ≥ 525.60.13 at the least, 535.54.03 ships with it
            compute   not known
            pinned    no: `envctl lock` asks the registry for the digest

            """)
        for arguments in [["--version", "12.2"], ["--version", "12.2.0", "--flavor", "base", "--cudnn", "8"], ["--version", "x"]] {
          let refused = try program.command(["resolve", "cuda", "--os", "ubuntu22.04"] + arguments).run(deadline: .seconds(60))
          #expect(refused.status.code == 2, "\(arguments)")
          #expect(refused.output.isEmpty)
        }
      }
    }
  }
}
