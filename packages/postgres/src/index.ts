/** The stores of both services in PostgreSQL, and the hints between gateways. */
export {}
