import Metainfo
import Swarm
import SwarmNode
import Wire

/// One member on a node of its own, from the start of the program to its end.
///
/// Belongs to the loop's thread.
final class TransferSession: MemberHost {
  /// What a command wants of a session.
  struct Task {
    /// What is taken part in.
    var plan: Member.Plan
    /// What is offered as block devices; nil for nothing.
    var exports: Exports?
    /// What is started from them; nil for nothing.
    var machine: Machine?
    /// Whether the program ends when all that was asked for is here.
    var endsWhenFinished: Bool
    /// Says what is shared, once the node listens.
    var announce: ([PeerEndpoint]) throws -> Void
  }

  /// Why it ends.
  enum End {
    case signal(CInt)
    case finished
    case failed(String)
  }

  private(set) var task: Task
  let options: NodeOptions
  let display: StatusDisplay
  let loop = EventLoop()
  let node: Node
  let lines = LogLines()
  private(set) var member: Member!
  var timer: EventTimer?
  var signals: [SignalWatcher] = []
  var server: NBDServer?
  private var repeats = Repeats()
  var end: End?
  /// When the first signal came.
  var interruption: ContinuousClock.Instant?

  var network: NetworkOptions { options.network }

  init(_ task: Task, options: NodeOptions, display: StatusDisplay) throws {
    self.task = task
    self.options = options
    self.display = display
    node = try options.node(on: loop, log: lines.log(isVerbose: options.isVerbose))
    member = Member(task.plan, of: self, state: try options.stateFolder(), teller: display)
    // What holds a version against others is the member's, and let go with it.
    self.task.plan.subject = nil
    self.task.plan.others = []
    member.tellsOfPeers = options.isVerbose
  }

  /// Runs until it is stopped. Throws what keeps it from its work, and the exit status of a signal
  /// that came before the work was done.
  func run() throws {
    node.onNotice = { [unowned self] in member.take($0) }
    node.onPieceLayers = { [unowned self] in member.take($1, of: $0) }
    watchSignals()
    task.machine?.watch(on: loop)
    member.begin()
    if end == nil {
      do { try task.announce(node.endpoints) } catch { fail(Member.text(of: error)) }
    }
    let interval: UInt64 = display.isInteractive ? 500 : 1_000
    timer = EventTimer(on: loop, everyMilliseconds: interval) { [unowned self] in tick() }
    loop.run()
    showLines()
    display.clear()
    try conclude()
  }

  func isComplete(_ member: Member) { if task.endsWhenFinished { stop(.finished) } }

  func failed(_ member: Member, _ reason: String) { fail(reason) }

  private func tick() {
    showLines()
    if end == nil { member.tick() }
    let isKnown = member.updateFigures()
    member.figures.reads = server?.figures
    task.machine?.tick(in: self)
    if end == nil, let view = member.searchView(isForPeople: !options.isJSON) {
      return display.show(view)
    }
    guard isKnown, end == nil || !task.plan.isSeed && task.machine == nil else { return }
    display.show(member.figures, member.surroundings.current(of: node))
  }

  func showLines() {
    for line in lines.take() where repeats.isNew(line, now: .now) { display.log(line) }
  }
}
