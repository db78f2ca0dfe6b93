import { vector } from "@conclave/codec"
import { DeviceId } from "@conclave/contracts/delivery"

/** As a column has the recipients that a commit did not serve. */
export const DeviceIds = vector(DeviceId)
