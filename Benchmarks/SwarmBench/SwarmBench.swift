import Dispatch
import Glibc
import Metainfo
import Store

/// What the machine can do without our program around it: `swarm-bench hash [MIB]`, or
/// `swarm-bench frame [MILLIONS OF MESSAGES]`; a node with every torrent of a folder, until it is
/// killed, in a DHT and with a followed dataset for each where places are given:
/// `swarm-bench idle FOLDER STATE [LISTEN DHT-NODE]`; and a node of the DHT that does what standard input
/// says: `swarm-bench dht LISTEN DHT-NODE`.
///
/// Prints one JSON object a line; Benchmarks/create_bench.py reads those of `hash`, idle_bench.py those
/// of `idle`, discovery_bench.py those of `dht`.
@main
struct SwarmBench {
  static func main() {
    let arguments = Array(CommandLine.arguments.dropFirst())
    switch (arguments.first, arguments.count) {
    case ("idle", 3), ("idle", 5):
      let places = arguments.count == 5 ? (listen: arguments[3], node: arguments[4]) : nil
      return IdleTorrents(folder: arguments[1], state: arguments[2], places: places).run()
    case ("dht", 3): return DHTNode(listen: arguments[1], node: arguments[2]).run()
    default: break
    }
    let count = arguments.count == 2 ? Int(arguments[1]) : nil
    switch (arguments.first, arguments.count, count) {
    case ("hash", 1, _): HashLimit(byteCount: 1 << 30).measure()
    case ("hash", 2, let mebibytes?) where mebibytes > 0:
      HashLimit(byteCount: mebibytes << 20).measure()
    case ("frame", 1, _): FrameLimit(messageCount: 10_000_000).measure()
    case ("frame", 2, let millions?) where (1...100).contains(millions):
      FrameLimit(messageCount: millions * 1_000_000).measure()
    default:
      print(
        """
        usage: swarm-bench hash [MIB] | frame [MILLIONS OF MESSAGES] |
               idle FOLDER STATE [LISTEN DHT-NODE] | dht LISTEN DHT-NODE
        """)
    }
  }
}

/// The speed of hashing bytes that are in memory already, by engine and number of threads.
struct HashLimit {
  /// Bytes to hash; a multiple of `chunkLength`.
  let byteCount: Int

  /// What a thread takes at a time: as much as the program's own workers do.
  private let chunkLength = 1 << 20
  /// Each is measured so often, and the best counts: the limit, not the habit.
  private let rounds = 3

  func measure() {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount, alignment: 4096)
    defer { memory.deallocate() }
    // Every page must be there before the clock starts.
    for offset in stride(from: 0, to: byteCount, by: 8) {
      memory.storeBytes(
        of: UInt64(truncatingIfNeeded: offset &* 0x9E37), toByteOffset: offset, as: UInt64.self)
    }
    let cores = sysconf(Int32(_SC_NPROCESSORS_ONLN))
    for engine in HashEngine.allCases where engine.isAvailable {
      for threads in Set([1, cores]).sorted() {
        let seconds =
          (0..<rounds).map { _ in
            elapsed { hash(UnsafeRawBufferPointer(memory), threads: threads, engine: engine) }
          }.min() ?? 0
        print(
          """
          {"hash": "sha256", "engine": "\(engine.rawValue)", "threads": \(threads), \
          "bytes": \(byteCount), "seconds": \(seconds)}
          """)
      }
    }
  }

  /// SHA-256 of every block, as for the leaves of one large file.
  private func hash(_ memory: UnsafeRawBufferPointer, threads: Int, engine: HashEngine) {
    let chunks = byteCount / chunkLength
    let length = chunkLength
    nonisolated(unsafe) let memory = memory
    DispatchQueue.concurrentPerform(iterations: threads) { thread in
      let hasher = BulkHasher(engine: engine)
      var digests = [SHA256Digest](repeating: .zero, count: length / blockLength)
      for chunk in stride(from: thread, to: chunks, by: threads) {
        let bytes = UnsafeRawBufferPointer(
          rebasing: memory[(chunk * length)..<((chunk + 1) * length)])
        digests.withUnsafeMutableBufferPointer {
          hasher.sha256(of: bytes, stride: blockLength, length: blockLength, into: $0)
        }
      }
    }
  }

  private func elapsed(_ work: () -> Void) -> Double {
    ContinuousClock().measure(work) / .seconds(1)
  }
}
