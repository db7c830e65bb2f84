import CNATPMP
import Discovery
import Glibc
import Metainfo
import Wire

/// Carries out a job by NAT-PMP with libnatpmp. Waits for the router, so it runs on the thread of
/// mapping.
struct NATPMPJob: ~Copyable {
  private var session = natpmp_t()
  private let deadline: Int64

  /// Asks what `job` says; ends within `MappingDriverLimits.natPMPMilliseconds` a job.
  static func run(_ job: MappingJob) -> Result<MappingAnswer, MappingFailure> {
    guard case .v4(let gateway) = job.gateway.address else {
      return .failure(.notOffered(.natPMP))
    }
    var session = NATPMPJob()
    let status = initnatpmp(&session.session, 1, gateway.rawValue.bigEndian)
    if status != 0 {
      closenatpmp(&session.session)
      return .failure(.system("libnatpmp \(status): \(String(cString: strerror(errno)))"))
    }
    defer { closenatpmp(&session.session) }
    do {
      return .success(try session.carryOut(job.work))
    } catch {
      return .failure(error)
    }
  }

  private init() { deadline = monotonicMilliseconds() + MappingDriverLimits.natPMPMilliseconds }

  private mutating func carryOut(_ work: MappingJob.Work) throws(MappingFailure) -> MappingAnswer {
    var answer = try externalAddress()
    switch work {
    case .probe: break
    case .map(let requests):
      for request in requests {
        do {
          answer.ports.append(try map(request, lifetime: request.lifetime, &answer.epoch))
        } catch {
          if error == .noAnswer { throw error }
          answer.ports.append(.refused(error))
        }
      }
    case .unmap(let requests):
      for request in requests { _ = try map(request, lifetime: 0, &answer.epoch) }
    }
    return answer
  }

  private mutating func externalAddress() throws(MappingFailure) -> MappingAnswer {
    guard sendpublicaddressrequest(&session) > 0 else { throw .system("libnatpmp cannot send") }
    let response = try response(UInt16(NATPMP_RESPTYPE_PUBLICADDRESS))
    let address = IPv4Address(rawValue: UInt32(bigEndian: response.pnu.publicaddress.addr.s_addr))
    return MappingAnswer(externalAddress: .v4(address), epoch: response.epoch)
  }

  private mutating func map(
    _ request: PortRequest, lifetime: UInt32, _ epoch: inout UInt32?
  ) throws(MappingFailure) -> MappingAnswer.Port {
    let isTCP = request.wanted.transport == .tcp
    // RFC 6886, section 3.4: a removal names no external port.
    guard
      sendnewportmappingrequest(
        &session, isTCP ? NATPMP_PROTOCOL_TCP : NATPMP_PROTOCOL_UDP, request.wanted.port,
        lifetime == 0 ? 0 : request.externalPort, lifetime) > 0
    else { throw .system("libnatpmp cannot send") }
    let response = try response(
      UInt16(isTCP ? NATPMP_RESPTYPE_TCPPORTMAPPING : NATPMP_RESPTYPE_UDPPORTMAPPING))
    let mapping = response.pnu.newportmapping
    guard mapping.privateport == request.wanted.port else {
      throw .nonsense("NAT-PMP answers for port \(mapping.privateport)")
    }
    epoch = response.epoch
    return .granted(externalPort: mapping.mappedpublicport, lifetime: mapping.lifetime)
  }

  /// Waits for the answer; libnatpmp says when to ask again.
  private mutating func response(_ type: UInt16) throws(MappingFailure) -> natpmpresp_t {
    while true {
      let left = deadline - monotonicMilliseconds()
      guard left > 0 else { throw .noAnswer }
      var wait = timeval()
      getnatpmprequesttimeout(&session, &wait)
      let retry = Int64(wait.tv_sec) * 1_000 + Int64(wait.tv_usec) / 1_000 + 1
      var watched = pollfd(fd: session.s, events: Int16(POLLIN), revents: 0)
      Glibc.poll(&watched, 1, Int32(clamping: max(0, min(left, retry))))
      var response = natpmpresp_t()
      let status = readnatpmpresponseorretry(&session, &response)
      switch status {
      case NATPMP_TRYAGAIN: continue
      case 0:
        guard response.type == type else { throw .nonsense("NAT-PMP answers something else") }
        return response
      case NATPMP_ERR_NOGATEWAYSUPPORT: throw .notOffered(.natPMP)
      case NATPMP_ERR_UNSUPPORTEDVERSION: throw .natPMP(code: 1)
      case NATPMP_ERR_NOTAUTHORIZED: throw .natPMP(code: 2)
      case NATPMP_ERR_NETWORKFAILURE: throw .natPMP(code: 3)
      case NATPMP_ERR_OUTOFRESOURCES: throw .natPMP(code: 4)
      case NATPMP_ERR_UNSUPPORTEDOPCODE: throw .natPMP(code: 5)
      case NATPMP_ERR_RECVFROM: throw .noAnswer
      default: throw .nonsense("libnatpmp \(status)")
      }
    }
  }
}

/// Milliseconds since any start.
func monotonicMilliseconds() -> Int64 {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
}
