import ArgumentParser
import Swarm
import SwarmNode

/// Files offered as block devices.
struct ExportOptions: ParsableArguments {
  @Option(
    name: .customLong("nbd"),
    help: """
      Offer the files as block devices (NBD) at this Unix socket, which only you and root can use. An \
      export's name is the file's path, or KEY@VERSION/path; no name means the largest file.
      """, completion: .file())
  var socket: BytePath?

  @Flag(help: "Fetch only what is read from the block devices, and what is likely to be read next.")
  var sparse = false

  @Option(
    name: .customLong("read-timeout"),
    help: "Seconds after which a read fails if nobody had the bytes. (default: 60)")
  var readTimeout: UInt16?

  @Flag(
    name: .customLong("no-read-ahead"),
    help: """
      With --sparse: fetch nothing but what is read, not even the rest of a piece or what a boot trace \
      names.
      """)
  var hasNoReadAhead = false

  @Flag(
    name: .customLong("no-trace"),
    help: "Do not fetch ahead by the boot traces that come with a version.")
  var hasNoTrace = false

  func validate() throws {
    if socket == nil, hasNoTrace { throw ValidationError("--no-trace is for --nbd SOCKET") }
    if socket == nil, sparse || readTimeout != nil {
      throw ValidationError("--sparse and --read-timeout are for --nbd SOCKET")
    }
    if !sparse, hasNoReadAhead { throw ValidationError("--no-read-ahead is for --sparse") }
    if readTimeout == 0 { throw ValidationError("--read-timeout is at least 1 second") }
  }

  /// What is fetched for the sake of reads.
  var reading: ReadingPolicy {
    var policy = ReadingPolicy()
    policy.isSparse = sparse
    policy.readsAhead = !hasNoReadAhead
    policy.completesPieces = !hasNoReadAhead
    return policy
  }

  /// What a session is to offer; nil for nothing.
  var offered: TransferSession.Exports? {
    socket.map {
      TransferSession.Exports(
        socket: $0.bytes, readTimeout: readTimeout.map { .seconds(Int($0)) },
        usesTraces: !hasNoTrace && !hasNoReadAhead)
    }
  }
}
