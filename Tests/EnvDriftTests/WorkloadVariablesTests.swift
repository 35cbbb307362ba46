/// What envctl takes the workload to do with variables is what the workload does.
import EnvCore
import EnvDrift
import SystemPackage
import TestSupport
import Testing

@Suite(.needs(.tool("python3"))) struct WorkloadVariablesTests {
  private static let program = """
    import json, sys
    from riskmodel import environment
    given, is_kept = json.loads(sys.argv[1]), sys.argv[2] == "true"
    found = environment.kept(given) if is_kept else environment.cleaned(given)[0]
    print(json.dumps({name: value for name, value in found.items() if name.startswith(environment.RECORDED_PREFIXES)}))
    """
  private static let names = [
    "MKL_CBWR", "DNNL_MAX_CPU_ISA", "ONEDNN_VERBOSE", "FLAGS_x", "OMP_NUM_THREADS", "KMP_AFFINITY", "GOMP_SPINCOUNT", "OPENBLAS_CORETYPE",
    "LD_PRELOAD", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "CUBLAS_WORKSPACE_CONFIG", "CUDNN_x", "NCCL_DEBUG", "NVIDIA_TF32_OVERRIDE",
    "GLIBC_TUNABLES", "PYTHONHASHSEED", "PATH", "HOME", "LANG", "MALLOC_ARENA_MAX",
  ]

  @Test(arguments: [true, false], [[], ["OMP_NUM_THREADS"], names]) func theSame(areKept: Bool, names: [String]) throws {
    let given = Dictionary(uniqueKeysWithValues: names.map { ($0, "4") })
    let folder = FilePath(#filePath).removingLastComponent().removingLastComponent().removingLastComponent()
    let text = String(decoding: try CanonicalJSON.encode(given), as: UTF8.self)
    let path = "PYTHONPATH=\(folder.appending("images/workloads/riskmodel"))"
    let outcome = try Tool.run("env", path, "PYTHONDONTWRITEBYTECODE=1", "python3", "-c", Self.program, text, "\(areKept)")
    try #require(outcome.status == 0, "\(outcome.text)")
    let found = try CanonicalJSON.decode([String: String].self, from: Array(outcome.text.utf8), object: "variables")
    #expect(WorkloadVariables.reported(of: given, areKept: areKept) == found)
  }
}
