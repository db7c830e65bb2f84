import Glibc
import Metainfo
import Swarm
import SwarmNode

/// A virtual machine whose disk is a file of a session's dataset, from the choice of the file to the end
/// of QEMU. While QEMU runs, the terminal is its own.
///
/// Belongs to the loop's thread.
final class Machine {
  /// What the user wants.
  struct Wishes {
    /// The image's path in the dataset; nil to choose.
    var image: [UInt8]?
    /// QEMU.
    var program: [UInt8]
    var acceleration: Acceleration
    /// Memory, in MiB.
    var memory: UInt64
    /// What the kernel is told besides.
    var append: [UInt8]
    /// What QEMU is told besides.
    var arguments: [[UInt8]]
    /// How long a read is waited for; nil for the usual.
    var readTimeout: Duration?
    /// How long is waited until the machine can be started.
    var patience: Duration
  }

  /// How far it is.
  enum State {
    /// For the metadata, and what is here.
    case waiting
    /// What QEMU needs at its start is fetched.
    case preparing
    case running(ChildProcess)
    /// QEMU has ended, with what is our exit status then.
    case ended(Int32)
    /// It was never started, and is not going to be.
    case cancelled
  }

  let folder: MachineFolder
  private(set) var state = State.waiting
  let wishes: Wishes
  var report = BootReport()
  var isReady = Preparation()
  var torrent: TorrentID?
  private let created = ContinuousClock.now
  private var started: ContinuousClock.Instant?
  private var terminal: TerminalState?
  private var probe: AccelerationProbe?
  /// Kills QEMU if it does not end when it is asked to.
  private var timer: DeadlineTimer?
  /// The signal by which we were asked to end.
  private var signal: CInt?

  /// Time in which QEMU should end when it is asked to: it has nothing to write back.
  private static let grace: UInt64 = 5_000  // milliseconds
  /// The name under which QEMU asks for the image.
  private static let export = "disk"

  /// What must be here before QEMU is started.
  struct Preparation {
    var files: MachineFiles?
    /// Files that are fetched.
    var outstanding = 0
    var hasKVM: Bool?
    var kernel: [UInt8]?
    var initrd: [UInt8]?
    var commandLine: [UInt8]?
  }

  init(_ wishes: Wishes) throws(Failure) {
    self.wishes = wishes
    folder = try MachineFolder()
  }

  // MARK: Before

  /// The session's files are offered: prepares the start.
  func begin(in session: TransferSession) {
    guard case .waiting = state, session.end == nil, let info = session.member.info,
      let torrent = session.member.torrent, let server = session.server
    else { return }
    state = .preparing
    self.torrent = torrent
    do throws(Failure) {
      let files = try MachineFiles(in: info, image: wishes.image)
      isReady.files = files
      (report.image, report.size) = ("\(files.image.path)", files.image.length)
      guard
        let export = server.exports.firstIndex(where: {
          $0.torrent == torrent && $0.file == files.image.index
        })
      else { throw Failure("\(files.image.path) is not offered") }
      server.exports[export].names.append(Array(Self.export.utf8))
      try prepare(files, in: session)
      // What QEMU does with its own hands takes time that the network takes, too.
      switch wishes.acceleration {
      case .kvm: isReady.hasKVM = true
      case .tcg: isReady.hasKVM = false
      case .auto:
        probe = AccelerationProbe(wishes.program, on: session.loop) { [unowned self] works in
          isReady.hasKVM = works
          startIfReady(in: session)
        }
      }
      startIfReady(in: session)
    } catch {
      session.fail(error.message)
    }
  }

  /// Time passed: nobody waits for ever.
  func tick(in session: TransferSession) {
    guard session.end == nil, ContinuousClock.now - created > wishes.patience else { return }
    let what: String
    switch state {
    case .waiting where session.member.torrent == nil:
      what = "nobody reported which version is the newest"
    case .waiting: what = "the image's metadata did not arrive"
    case .preparing: what = "the files that start the machine did not arrive"
    default: return
    }
    let why = session.member.figures.waitingText.map { " (\($0))" } ?? ""
    session.fail(
      "after \(wishes.patience.components.seconds) s \(what)\(why): is somebody seeding it? "
        + "--peer HOST:PORT names one, --wait SECONDS gives more time")
  }

  func startIfReady(in session: TransferSession) {
    guard case .preparing = state, session.end == nil, isReady.outstanding == 0,
      let hasKVM = isReady.hasKVM, let files = isReady.files
    else { return }
    let command = MachineCommand(
      program: wishes.program, hasKVM: hasKVM, memory: wishes.memory, socket: folder.socket,
      export: Self.export, format: files.format, kernel: isReady.kernel, initrd: isReady.initrd,
      commandLine: commandLine, more: wishes.arguments)
    let display = session.display
    display.event(
      "booting",
      [
        ("image", .text(report.image)), ("size", .number(report.size)),
        ("format", .text(files.format.rawValue)), ("kernel", .bool(isReady.kernel != nil)),
        ("acceleration", .text(hasKVM ? "kvm" : "tcg")),
        ("socket", .text(printable(folder.socket))),
      ])
    display.note(
      "booting \(report.image) (\(Quantity.bytes(report.size))) by \(hasKVM ? "KVM" : "emulation"); "
        + "Ctrl-A X ends the machine")
    terminal = .now()
    started = .now
    report.startSeconds = BootReport.seconds(.now - created)
    do throws(SystemError) {
      let child = try ChildProcess(command.words, streams: .ours, on: session.loop) {
        [unowned self] in ended($0, in: session)
      }
      display.isQuiet = true
      state = .running(child)
    } catch {
      state = .cancelled
      session.fail("\(error)")
    }
  }

  private var commandLine: [UInt8] {
    let space = UInt8(ascii: " ")
    let kept = isReady.commandLine ?? Array("console=ttyS0 root=/dev/vda".utf8)
    // A line, whatever ends it.
    let line = kept.split { $0 <= space }.joined(separator: [space])
    return Array(line) + (wishes.append.isEmpty ? [] : [space] + wishes.append)
  }

  // MARK: While it runs

  /// A signal came. False: it is the session's.
  ///
  /// The terminal sends Ctrl-C to the guest as a byte; as a signal it comes to QEMU as well, which may do
  /// with it what it likes. Asked to end, QEMU ends first.
  func takes(signal number: CInt) -> Bool {
    guard case .running(let child) = state else { return false }
    if number == SIGINT { return true }
    if signal != nil {
      child.send(signal: SIGKILL)
    } else {
      signal = number
      ask(child)
    }
    return true
  }

  /// The session ends, for whatever reason: the machine cannot go on without it.
  func sessionEnds() {
    probe?.cancel()
    probe = nil
    switch state {
    case .waiting, .preparing: state = .cancelled
    case .running(let child): ask(child)
    case .ended, .cancelled: break
    }
  }

  private func ask(_ child: ChildProcess) {
    child.send(signal: SIGTERM)
    timer?.set(milliseconds: Self.grace)
  }

  /// What kills a QEMU that does not end by itself; made by the session, on its loop.
  func watch(on loop: EventLoop) {
    timer = DeadlineTimer(on: loop) { [unowned self] in
      if case .running(let child) = state { child.send(signal: SIGKILL) }
    }
  }

  // MARK: After

  private func ended(_ end: ChildProcess.End, in session: TransferSession) {
    let status: Int32
    switch end {
    case .exited(let code): status = signal.map { 128 + $0 } ?? code
    case .signalled(let number): status = 128 + (signal ?? number)
    }
    state = .ended(status)
    terminal?.restore()
    session.display.isQuiet = false
    // What firmware likes to switch off: colours as they were, and lines that wrap.
    if Console.isInteractive { Console.overwrite("\r\u{1B}[0m\u{1B}[?7h") }
    report.seconds = started.map { BootReport.seconds(.now - $0) } ?? 0
    takeFigures(from: session)
    session.stop(.finished)
  }

  private func takeFigures(from session: TransferSession) {
    report.reads = session.server?.figures ?? BlockExportFigures()
    let node = session.node
    guard let torrent, let files = isReady.files else { return }
    if let status = node.status(of: torrent) {
      (report.downloaded, report.wasted) = (status.downloadedBytes, status.wastedBytes)
    }
    report.here = 0
    var offset: UInt64 = 0
    while offset < files.image.length {
      let runs = node.presence(of: offset..<files.image.length, of: files.image.index, in: torrent)
      guard !runs.isEmpty else { break }
      for run in runs {
        if run.isHere { report.here += run.length }
        offset += run.length
      }
    }
  }

  /// Closes what the loop holds. Before the loop ends.
  func close() {
    timer?.close()
    timer = nil
  }

  /// Says what it cost. Returns the exit status; nil where the machine was never started.
  func conclude(_ display: StatusDisplay, place: String?) -> Int32? {
    folder.close()
    guard case .ended(let status) = state else { return nil }
    display.event("booted", [("status", .signed(Int64(status)))] + report.json)
    display.note("the machine ended with status \(status) after \(Int(report.seconds.rounded())) s")
    for line in report.lines { display.note(line) }
    if let place { display.note("what was fetched is kept in \(place) for the next boot") }
    return status
  }
}
