import Glibc
import Metainfo
import Swarm
import Wire

/// One client of the NBD socket.
final class NBDConnection {
  /// A read whose bytes must be sent in one run, and are not all here yet.
  private struct Gathering {
    let memory: UnsafeMutableRawBufferPointer
    var missing: Int
  }

  private unowned let server: NBDServer
  private let socket: Int32
  private var poll: SocketPoll?
  var session = NBDSession()
  private var output = OutputChunks()
  /// What came and could not be taken yet.
  private var input: [UInt8] = []
  /// What is read.
  private var export: BlockExport?
  /// What notes its reads.
  private var recording: TraceRecording?
  /// Whether the client said that it goes.
  private var hasSaidGoodbye = false
  private var gatherings: [NBDRequestID: Gathering] = [:]
  /// Reads that wait for the node, to be given up when the client goes.
  private var waiting: [NBDRequestID: (read: ReadID, since: Duration)] = [:]
  /// Blocks that may be looked at for questions about what is here, until others had their turn.
  private var statusBudget = NBDServerLimits.statusBlocks
  /// The client sends no more.
  private var hasEnded = false
  /// A read was answered since the server was last told that all are.
  private var hasAnswered = false
  /// Of which torrent it reads; nil while nothing was chosen.
  var torrent: TorrentID? { export?.torrent }
  /// Whether something was added to what is to be sent.
  private(set) var hasNews = false

  /// Takes the socket over; nil where libuv refuses it.
  init?(owning socket: Int32, of server: NBDServer) {
    self.server = server
    self.socket = socket
    session.window = NBDServerLimits.window
    poll = SocketPoll(on: server.node.loop, socket: socket) { [unowned self] in ready($0) }
    if poll == nil {
      Glibc.close(socket)
      return nil
    }
  }

  deinit { for gathering in gatherings.values { gathering.memory.deallocate() } }

  func begin() { flush() }

  /// Ends at once. What still waits is forgotten.
  func close() {
    guard let poll else { return }
    poll.close()
    self.poll = nil
    Glibc.close(socket)
    for (read, since) in waiting.values {
      server.node.cancel(read)
      server.figures.ended(since, now: server.node.now)
    }
    server.figures.waiting -= waiting.count
    waiting = [:]
    leave(isClean: hasSaidGoodbye)
    server.remove(self)
  }

  /// Answers what waits with an error, sends what the socket takes, and ends.
  func shutDown() {
    session.shutDown()
    for id in waiting.keys { session.fail(id, .shuttingDown, "the node stops") }
    flush()
    close()
  }

  // MARK: The socket

  private func ready(_ events: SocketPoll.Events?) {
    guard let events else { return close() }
    statusBudget = NBDServerLimits.statusBlocks
    if events.contains(.readable) { receive() }
    if poll != nil { flush() }
  }

  private func receive() {
    withUnsafeTemporaryAllocation(byteCount: NBDServerLimits.inputBytes, alignment: 16) { buffer in
      let count = recv(socket, buffer.baseAddress, buffer.count, 0)
      if count > 0 {
        server.asked()
        take(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
      } else if count == 0 {
        hasEnded = true
      } else if errno != EAGAIN && errno != EINTR {
        close()
      }
    }
  }

  /// Takes what it can of these bytes; the rest waits.
  private func take(_ bytes: UnsafeRawBufferPointer) {
    var offset = 0
    do {
      while poll != nil, statusBudget > 0,
        let event = try session.next(in: bytes.bytes, at: &offset)
      { take(event) }
    } catch {
      server.log(.warning, "a client of the NBD socket broke the protocol: \(error)")
      close()
      return
    }
    if offset < bytes.count { input = Array(bytes[offset...]) }
  }

  /// Goes on with what could not be taken.
  private func takeRest() {
    guard session.isReading, !input.isEmpty else { return }
    let rest = input
    input = []
    rest.withUnsafeBytes { take($0) }
  }

  /// Sends what there is, and waits for what comes next.
  func flush() {
    hasNews = false
    repeat {
      guard poll != nil else { return }
      takeRest()
      moveMessages()
      let (count, isAlive) = output.send(on: socket)
      session.didSend(count)
      guard isAlive else { return close() }
    } while output.isEmpty
      && (session.hasOutput || session.isReading && !input.isEmpty && statusBudget > 0)
    guard let poll else { return }
    if session.isOver || hasEnded && output.isEmpty && session.requestCount == 0 { return close() }
    var events: SocketPoll.Events = []
    if !output.isEmpty { events.insert(.writable) }
    if session.isReading, input.isEmpty, !hasEnded { events.insert(.readable) }
    // What is left is gone on with when others had their turn.
    if statusBudget <= 0, session.isReading, !input.isEmpty { events.insert(.writable) }
    poll.watch(events)
    if hasAnswered, output.isEmpty, session.requestCount == 0 {
      hasAnswered = false
      server.answered()
    }
  }

  /// What the session has to say goes before what is added next.
  private func moveMessages() {
    guard session.hasOutput else { return }
    session.takeOutput().withUnsafeBytes { output.append($0) }
  }

  // MARK: Requests

  private func take(_ event: NBDEvent) {
    switch event {
    case .list:
      session.answerList(
        server.exports.map { NBDListing(name: $0.names.first ?? [], description: $0.description) })
    case .export(let name, let purpose):
      guard let found = server.export(named: name) else {
        session.answerExport(.unknown("there is no export \(printable(name))"))
        return
      }
      if purpose == .transmission {
        export = found
        recording = server.traces.opened(found)
      }
      session.answerExport(
        .export(
          NBDExport(
            name: found.names.first ?? name, description: found.description, size: found.size)))
    case .request(let request): take(request)
    case .goodbye: hasSaidGoodbye = true
    }
  }

  /// The client reads no more.
  private func leave(isClean: Bool) {
    recording = nil
    if let export { server.traces.left(export, isClean: isClean) }
    export = nil
  }

  private func take(_ request: NBDRequest) {
    guard let export else { return session.fail(request.id, .invalid, "no export was chosen") }
    switch request.kind {
    case .read(let isWhole): read(request, export, isWhole: isWhole)
    case .cache:
      server.node.prefetch(request.range, of: export.file, in: export.torrent)
      session.complete(request.id)
    case .blockStatus(let isOne):
      let limit = min(NBDServerLimits.statusBlocks, statusBudget)
      let runs = server.node.presence(
        of: request.range, of: export.file, in: export.torrent, blocks: max(1, limit),
        runs: isOne ? 1 : nil)
      statusBudget -= Int(clamping: runs.reduce(0) { $0 + $1.length } / UInt64(blockLength)) + 1
      session.answerStatus(
        request.id, runs.map { NBDRun(length: $0.length, isHere: $0.isHere) })
    }
  }

  private func read(_ request: NBDRequest, _ export: BlockExport, isWhole: Bool) {
    recording?.note(request.offset, request.length)
    if readAtOnce(request, export) {
      server.figures.readsAtOnce += 1
      answered(request)
      return
    }
    server.figures.waiting += 1
    let read = server.node.read(
      request.range, of: export.file, in: export.torrent, timeout: export.readTimeout,
      deliver: { [weak self] in self?.deliver($0, at: $1, to: request, isWhole: isWhole) },
      completion: { [weak self] in self?.end(request, $0) })
    waiting[request.id] = (read, server.node.now)
  }

  /// Answers from memory. False when something is not here, or not in memory.
  private func readAtOnce(_ request: NBDRequest, _ export: BlockExport) -> Bool {
    moveMessages()
    let header = session.dataHeaderBytes
    let room = output.reserve(header + Int(request.length))
    let data = UnsafeMutableRawBufferPointer(rebasing: room[header...])
    guard
      server.node.readAtOnce(request.range, of: export.file, in: export.torrent, into: data)
    else { return false }
    if session.writeDataHeader(for: request.id, request.range, into: room) > 0 {
      output.commit(room.count)
    }
    return true
  }

  private func deliver(
    _ bytes: UnsafeRawBufferPointer, at offset: UInt64, to request: NBDRequest, isWhole: Bool
  ) {
    guard poll != nil, !bytes.isEmpty else { return }
    hasNews = true
    guard isWhole else {
      return send(bytes, offset..<(offset + UInt64(bytes.count)), of: request)
    }
    let length = Int(request.length)
    var gathering =
      gatherings[request.id]
      ?? Gathering(memory: .allocate(byteCount: length, alignment: 16), missing: length)
    let start = Int(offset - request.offset)
    UnsafeMutableRawBufferPointer(rebasing: gathering.memory[start..<(start + bytes.count)])
      .copyMemory(from: bytes)
    gathering.missing -= bytes.count
    gatherings[request.id] = gathering
    guard gathering.missing == 0 else { return }
    send(UnsafeRawBufferPointer(gathering.memory), request.range, of: request)
    drop(request.id)
  }

  private func send(
    _ bytes: UnsafeRawBufferPointer, _ range: Range<UInt64>, of request: NBDRequest
  ) {
    moveMessages()
    let room = output.reserve(session.dataHeaderBytes + bytes.count)
    let header = session.writeDataHeader(for: request.id, range, into: room)
    guard header > 0 else { return }
    UnsafeMutableRawBufferPointer(rebasing: room[header...]).copyMemory(from: bytes)
    output.commit(header + bytes.count)
  }

  private func end(_ request: NBDRequest, _ failure: ReadFailure?) {
    guard let (_, since) = waiting.removeValue(forKey: request.id) else { return }
    server.figures.waiting -= 1
    server.figures.ended(since, now: server.node.now)
    drop(request.id)
    hasNews = true
    guard let failure else { return answered(request) }
    server.figures.failures += 1
    session.fail(request.id, .inputOutput, at: nil, failure.text)
    let range = request.range
    server.failed(
      "a read of \(range.count) bytes at \(range.lowerBound) of "
        + "\(printable(export?.names.first ?? [])) failed: \(failure.text)",
      torrent: export?.torrent)
  }

  private func answered(_ request: NBDRequest) {
    hasAnswered = true
    server.figures.reads += 1
    server.figures.bytes += request.length
    if server.figures.firstRead == nil { server.figures.firstRead = server.node.now }
  }

  private func drop(_ id: NBDRequestID) {
    gatherings.removeValue(forKey: id)?.memory.deallocate()
  }
}
